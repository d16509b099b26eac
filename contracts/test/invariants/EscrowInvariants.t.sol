// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Escrow} from "../../src/Escrow.sol";
import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {Vm} from "../Vm.sol";
import {Attacker} from "./Attacker.sol";
import {EscrowHandler} from "./EscrowHandler.sol";
import {World} from "./World.sol";

/// @notice What stays true whatever people do, in good faith or bad. docs/escrow.md tells it in plain words.
contract EscrowInvariants {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 private constant TOKENS = 5;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    error Broken(string what, uint256 left, uint256 right);

    Attacker private world;
    Escrow private escrow;

    function setUp() public {
        world = new Attacker();
        escrow = Escrow(payable(world.escrowAddress()));
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(world);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(world), acts());
    }

    /// @dev Openings stand twice, so that there is always something to close.
    function acts() private pure returns (bytes4[] memory all) {
        all = new bytes4[](29);
        all[0] = all[1] = EscrowHandler.openFromVault.selector;
        all[2] = all[3] = EscrowHandler.openFromWallet.selector;
        all[4] = all[5] = EscrowHandler.markPaid.selector;
        all[6] = EscrowHandler.cancel.selector;
        all[7] = EscrowHandler.expire.selector;
        all[8] = EscrowHandler.splitAtSunset.selector;
        all[9] = EscrowHandler.settle.selector;
        all[10] = EscrowHandler.settleBatch.selector;
        all[11] = EscrowHandler.withdrawCredit.selector;
        all[12] = EscrowHandler.redirectCredit.selector;
        all[13] = EscrowHandler.revoke.selector;
        all[14] = EscrowHandler.withdrawFromVault.selector;
        all[15] = EscrowHandler.exitFromVault.selector;
        all[16] = EscrowHandler.pass.selector;
        all[17] = EscrowHandler.changeMoods.selector;
        all[18] = EscrowHandler.donate.selector;
        all[19] = EscrowHandler.openInTaxedToken.selector;
        all[20] = Attacker.settleAlone.selector;
        all[21] = Attacker.settleWithTheWrongArbiter.selector;
        all[22] = Attacker.closeTooEarly.selector;
        all[23] = Attacker.closeTwice.selector;
        all[24] = Attacker.actForAnother.selector;
        all[25] = Attacker.takeACredit.selector;
        all[26] = Attacker.armReentrancy.selector;
        all[27] = all[28] = EscrowHandler.releaseBatch.selector;
    }

    // ── money ──────────────────────────────────────────────────────────────────────────────────

    // What is wrong with the money stays wrong, so one token a step and all of them at the end find it.

    function invariant_the_escrow_holds_exactly_what_it_owes() public view {
        holdsWhatItOwes(world.tokens(world.acts() % TOKENS));
    }

    function invariant_everybody_has_exactly_their_due() public view {
        everybodyHasTheirDue(world.tokens(world.acts() % TOKENS));
    }

    function invariant_no_coin_appears_or_vanishes() public view {
        noCoinAppears(world.tokens(world.acts() % TOKENS));
    }

    function afterInvariant() public view {
        for (uint256 i = 0; i < TOKENS; i++) {
            holdsWhatItOwes(world.tokens(i));
            everybodyHasTheirDue(world.tokens(i));
            noCoinAppears(world.tokens(i));
        }
    }

    function holdsWhatItOwes(address token) private view {
        (, uint256 credits,) = world.standing(token);
        uint256 owed = world.opened(token) - world.closed(token) + credits + world.donated(token);
        same("escrow", world.balance(token, address(escrow)), owed);
    }

    function everybodyHasTheirDue(address token) private view {
        (,, address wrong) = world.standing(token);
        same("due", uint160(wrong), 0);
    }

    function noCoinAppears(address token) private view {
        (uint256 balances,,) = world.standing(token);
        same("coins", balances + world.balance(token, address(escrow)), world.minted(token));
    }

    function invariant_fees_stay_under_their_caps() public view {
        for (uint256 i = 0; i < TOKENS; i++) {
            address token = world.tokens(i);
            atMost("fee", world.fees(token) * 10_000, world.closed(token) * 500);
            atMost("arbiter's fee", world.arbiterFees(token) * 10_000, world.closed(token) * 200);
        }
    }

    function invariant_a_token_that_takes_a_fee_is_never_accepted() public view {
        same("accepted", world.done("taxed token was accepted"), 0);
        same("escrow", world.balance(address(world.taxed()), address(escrow)), 0);
    }

    // ── who and when ───────────────────────────────────────────────────────────────────────────

    function invariant_a_trade_closes_once_and_stands_where_it_should() public view {
        for (uint256 i = 0; i < world.tradeCount(); i++) {
            World.Trade memory trade = world.tradeAt(i);
            uint256 stands = uint256(escrow.statusOf(escrow.tradeIdOf(trade.terms)));
            same("status", stands, uint256(trade.status));
            same("exits", trade.exits, trade.status == IEscrow.Status.CLOSED ? 1 : 0);
        }
        never("settleTwice");
        never("cancelTwice");
        never("expireTwice");
        never("sunsetTwice");
        never("markPaidAgain");
        never("openTwice");
    }

    function invariant_one_signer_never_moves_coins() public view {
        never("settleAlone");
        never("settleWithTheWrongArbiter");
    }

    function invariant_nothing_happens_before_its_time_or_after() public view {
        never("expireTooEarly");
        never("sunsetTooEarly");
        never("markPaidTooLate");
    }

    function invariant_nobody_acts_for_another() public view {
        never("cancelForTheBuyer");
        never("markPaidForTheBuyer");
        never("openForTheSeller");
        never("walletForTheSeller");
        never("takeACredit");
    }

    function invariant_no_token_reenters() public view {
        same("reentered", world.reentered() ? 1 : 0, 0);
    }

    function invariant_an_authority_is_never_overdrawn() public view {
        for (uint256 i = 0; i < world.authorityCount(); i++) {
            bytes32 hash = world.authorities(i);
            if (world.revoked(hash)) {
                same("revoked", escrow.usedOf(hash), type(uint256).max);
                continue;
            }
            same("used", escrow.usedOf(hash), world.usedUnder(hash));
            atMost("used", escrow.usedOf(hash), world.mostUnder(hash));
        }
    }

    // ── every state has an exit ────────────────────────────────────────────────────────────────

    function invariant_two_who_agree_can_always_close() public {
        uint256[] memory live = world.liveTrades();
        if (live.length == 0) return;
        IEscrow.Terms memory t = world.tradeAt(live[0]).terms;
        vm.prank(t.buyer);
        escrow.cancel(t, "");
        closed(t);
    }

    function invariant_time_alone_closes_every_trade() public {
        uint256[] memory live = world.liveTrades();
        if (live.length == 0) return;
        World.Trade memory trade = world.tradeAt(live[live.length - 1]);
        vm.warp(uint256(trade.terms.sunset) + 1);
        if (trade.status == IEscrow.Status.OPEN) escrow.expire(trade.terms);
        else escrow.splitAtSunset(trade.terms);
        closed(trade.terms);
    }

    // ── the suite reaches what it is about ─────────────────────────────────────────────────────

    /// @dev With the same chance as the campaign, every act is done and every attack tried.
    function test_every_act_is_reached() public {
        bytes4[] memory all = acts();
        for (uint256 i = 0; i < 2_000; i++) {
            uint256 chance = uint256(keccak256(abi.encode(i)));
            (bool ok, bytes memory why) = address(world).call(abi.encodeWithSelector(all[chance % all.length], chance));
            if (!ok) {
                assembly ("memory-safe") {
                    revert(add(why, 32), mload(why))
                }
            }
        }
        string[21] memory names = [
            "openFromVault", "openAgain", "openFromWallet", "revoke", "markPaid", "cancel", "expire", "splitAtSunset",
            "settle", "settleBatch", "releaseBatch", "withdrawCredit", "redirectCredit", "withdrawFromVault", "exitFromVault", "pass",
            "changeMoods", "donate", "openInTaxedToken", "armReentrancy", "attack"
        ];
        for (uint256 i = 0; i < names.length; i++) {
            if (world.done(names[i]) == 0) revert Broken(names[i], 0, 1);
        }
        afterInvariant();
    }

    function closed(IEscrow.Terms memory t) private view {
        same("status", uint256(escrow.statusOf(escrow.tradeIdOf(t))), uint256(IEscrow.Status.CLOSED));
    }

    function never(string memory attack) private view {
        same(attack, world.succeeded(attack), 0);
    }

    function same(string memory what, uint256 left, uint256 right) private pure {
        if (left != right) revert Broken(what, left, right);
    }

    function atMost(string memory what, uint256 left, uint256 right) private pure {
        if (left > right) revert Broken(what, left, right);
    }
}
