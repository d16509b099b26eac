// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {EscrowHandler} from "./EscrowHandler.sol";

/// @notice What must never work. Each attempt that does is counted under its name.
contract Attacker is EscrowHandler {
    mapping(string attack => uint256) public succeeded;

    function settleAlone(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        Trade memory trade = trades[anyLive()];
        uint256 who = pick(3);
        Party memory signer = who == 0 ? trade.seller : who == 1 ? trade.buyer : thirdOf(trade);
        IEscrow.Decision memory d =
            IEscrow.Decision(uint128(pick(uint256(trade.terms.amount) + 1)), pick(2) == 0, uint40(clock));
        bytes memory signature = signAs(signer, settleHash(trade.terms, d));
        bytes[3] memory places;
        places[who] = signature;
        if (pick(2) == 0) places[(who + 1) % 3] = signature;
        bytes memory act = abi.encodeCall(escrow.settle, (trade.terms, d, places[0], places[1], places[2]));
        attempt("settleAlone", pick(2) == 0 ? signer.account : stranger, act);
    }

    /// @dev The arbiter after his time, or the backup before hers, is nobody.
    function settleWithTheWrongArbiter(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        Trade memory trade = trades[anyLive()];
        Party memory wrong = clock > trade.terms.resolveBy ? trade.arbiter : trade.backup;
        if (wrong.account == thirdOf(trade).account) return;
        IEscrow.Decision memory d = decision(trade.terms.amount);
        d.deadline = uint40(clock);
        bytes32 hash = settleHash(trade.terms, d);
        bytes memory buyerSig = signAs(trade.buyer, hash);
        bytes memory act = abi.encodeCall(escrow.settle, (trade.terms, d, "", buyerSig, signAs(wrong, hash)));
        attempt("settleWithTheWrongArbiter", stranger, act);
    }

    function closeTooEarly(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        Trade memory trade = trades[anyLive()];
        bool paid = trade.status == IEscrow.Status.PAID;
        if (paid || clock <= trade.terms.payBy) {
            attempt("expireTooEarly", stranger, abi.encodeCall(escrow.expire, (trade.terms)));
        }
        if (!paid || clock <= trade.terms.sunset) {
            attempt("sunsetTooEarly", stranger, abi.encodeCall(escrow.splitAtSunset, (trade.terms)));
        }
        if (paid || clock > trade.terms.payBy) {
            attempt("markPaidTooLate", trade.terms.buyer, abi.encodeCall(escrow.markPaid, (trade.terms, "")));
        }
    }

    function closeTwice(uint256 seed) public timely(seed) {
        if (trades.length == live.length) return;
        uint256 index = pick(trades.length);
        while (trades[index].status != IEscrow.Status.CLOSED) index = (index + 1) % trades.length;
        Trade memory trade = trades[index];
        IEscrow.Decision memory d = decision(trade.terms.amount);
        d.deadline = uint40(clock);
        bytes memory sellerSig = signAs(trade.seller, settleHash(trade.terms, d));
        address buyer = trade.terms.buyer;
        attempt("settleTwice", buyer, abi.encodeCall(escrow.settle, (trade.terms, d, sellerSig, "", "")));
        attempt("cancelTwice", buyer, abi.encodeCall(escrow.cancel, (trade.terms, "")));
        attempt("markPaidAgain", buyer, abi.encodeCall(escrow.markPaid, (trade.terms, "")));
        attempt("expireTwice", stranger, abi.encodeCall(escrow.expire, (trade.terms)));
        attempt("sunsetTwice", stranger, abi.encodeCall(escrow.splitAtSunset, (trade.terms)));
        IEscrow.OrderAuthority memory a = authorityFor(trade.terms);
        attempt("openTwice", trade.terms.seller, abi.encodeCall(escrow.open, (trade.terms, a, "")));
    }

    function actForAnother(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        Trade memory trade = trades[anyLive()];
        address other = pick(2) == 0 ? trade.terms.seller : trade.terms.arbiter;
        attempt("cancelForTheBuyer", other, abi.encodeCall(escrow.cancel, (trade.terms, "")));
        attempt("markPaidForTheBuyer", other, abi.encodeCall(escrow.markPaid, (trade.terms, "")));
        Trade memory fresh = newTrade(address(usdt));
        IEscrow.OrderAuthority memory a = authorityFor(fresh.terms);
        attempt("openForTheSeller", stranger, abi.encodeCall(escrow.open, (fresh.terms, a, "")));
        attempt("walletForTheSeller", stranger, abi.encodeCall(escrow.openFromWallet, (fresh.terms, "")));
    }

    function takeACredit(uint256 seed) public timely(seed) {
        address vault = escrow.vaultOf(pick(2) == 0 ? sellers[pick(4)].account : buyers[pick(4)].account);
        uint256 owed = escrow.credit(address(hostile), vault);
        IEscrow.Redirect memory r =
            IEscrow.Redirect(address(hostile), vault, stranger, owed == 0 ? 1 : owed, ++salts, uint40(clock));
        attempt("takeACredit", stranger, abi.encodeCall(escrow.redirectCredit, (r, stranger, "")));
    }

    function pullFromAVault(uint256 seed) public timely(seed) {
        address vault = escrow.deployVault(sellers[pick(4)].account);
        vm.prank(stranger);
        (bool ok,) = vault.call(abi.encodeWithSignature("pull(address,uint256)", tokens[pick(TOKENS)], 1));
        if (ok) succeeded["pullFromAVault"]++;
        done["attack"]++;
    }

    /// @dev Arms the reentrant token: its next transfers call back into the escrow with a valid act.
    function armReentrancy(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        if (reentrant.reentered()) succeeded["reentrancy"]++;
        Trade memory trade = trades[anyLive()];
        bytes memory signature = signAs(trade.buyer, actHash("Cancel", trade.terms));
        bytes memory act = pick(2) == 0
            ? abi.encodeCall(escrow.cancel, (trade.terms, signature))
            : abi.encodeCall(escrow.withdrawCredit, (address(hostile), accounts[pick(accounts.length)]));
        reentrant.reenter(address(escrow), act);
        done["armReentrancy"]++;
    }

    function reentered() external view returns (bool) {
        return reentrant.reentered() || succeeded["reentrancy"] != 0;
    }

    function attempt(string memory name, address caller, bytes memory act) private {
        vm.prank(caller);
        (bool ok,) = address(escrow).call(act);
        if (ok) succeeded[name]++;
        done["attack"]++;
    }
}
