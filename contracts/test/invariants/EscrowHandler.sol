// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../../src/Vault.sol";
import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {World} from "./World.sol";

/// @notice What people do in good faith, in any order and at any time. Nothing here may revert.
abstract contract EscrowHandler is World {
    // ── opening ────────────────────────────────────────────────────────────────────────────────

    function openFromVault(uint256 seed) public timely(seed) {
        Trade memory trade = newTrade(tokens[pick(TOKENS)]);
        address vault = escrow.vaultOf(trade.terms.seller);
        mint(trade.terms.token, vault, trade.terms.amount);
        IEscrow.OrderAuthority memory a = authorityFor(trade.terms);
        bool byCall = pick(3) == 0;
        bytes memory signature = byCall ? bytes("") : signAs(trade.seller, authorityHash(a));
        if (byCall) vm.prank(trade.terms.seller);
        escrow.open(trade.terms, a, signature);
        bytes32 hash = authorityHash(a);
        authorities.push(hash);
        (usedUnder[hash], mostUnder[hash]) = (trade.terms.amount, a.maxTotal);
        bookOpened(trade, vault);
        done["openFromVault"]++;
        if (pick(2) == 0) openAgain(trade, a);
    }

    /// @dev A second trade of the same order, up to the order's total.
    function openAgain(Trade memory trade, IEscrow.OrderAuthority memory a) private {
        bytes32 hash = authorityHash(a);
        trade.terms.salt = bytes32(++salts);
        trade.terms.amount = uint128(a.maxTotal - usedUnder[hash]);
        (trade.terms.fee, trade.terms.arbiterFee) = (trade.terms.amount / 50, trade.terms.amount / 100);
        address vault = escrow.vaultOf(trade.terms.seller);
        mint(trade.terms.token, vault, trade.terms.amount);
        bytes memory signature = signAs(trade.seller, hash);
        escrow.open(trade.terms, a, signature);
        usedUnder[hash] += trade.terms.amount;
        bookOpened(trade, vault);
        done["openAgain"]++;
    }

    function openFromWallet(uint256 seed) public timely(seed) {
        address token = pick(2) == 0 ? address(usdt) : address(0);
        Trade memory trade = newTrade(token);
        address from = trade.terms.seller;
        mint(token, from, trade.terms.amount);
        if (token != address(0)) {
            vm.prank(from);
            usdt.approve(address(escrow), trade.terms.amount);
        }
        uint256 value = token == address(0) ? trade.terms.amount : 0;
        vm.prank(from);
        escrow.openFromWallet{value: value}(trade.terms, "");
        bookOpened(trade, from);
        done["openFromWallet"]++;
    }

    function revoke(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        Trade memory trade = trades[anyLive()];
        IEscrow.OrderAuthority memory a = authorityFor(trade.terms);
        a.nonce = ++salts;
        escrow.revokeAuthority(a, signAs(trade.seller, revokeHash(a)));
        bytes32 hash = authorityHash(a);
        authorities.push(hash);
        revoked[hash] = true;
        done["revoke"]++;
    }

    // ── closing ────────────────────────────────────────────────────────────────────────────────

    function markPaid(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        uint256 index = anyLive();
        Trade memory trade = trades[index];
        if (trade.status != IEscrow.Status.OPEN || clock > trade.terms.payBy) return;
        escrow.markPaid(trade.terms, signAs(trade.buyer, actHash("MarkPaid", trade.terms)));
        trades[index].status = IEscrow.Status.PAID;
        done["markPaid"]++;
    }

    function cancel(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        uint256 index = anyLive();
        Trade memory trade = trades[index];
        escrow.cancel(trade.terms, signAs(trade.buyer, actHash("Cancel", trade.terms)));
        bookReturned(index);
        done["cancel"]++;
    }

    function expire(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        uint256 index = anyLive();
        Trade memory trade = trades[index];
        if (trade.status != IEscrow.Status.OPEN || clock <= trade.terms.payBy) return;
        vm.prank(stranger);
        escrow.expire(trade.terms);
        bookReturned(index);
        done["expire"]++;
    }

    function splitAtSunset(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        uint256 index = anyLive();
        Trade memory trade = trades[index];
        if (trade.status != IEscrow.Status.PAID) return;
        if (clock <= trade.terms.sunset && pick(3) == 0) clock = trade.terms.sunset + 1 + pick(1 days);
        if (clock <= trade.terms.sunset) return;
        vm.warp(clock);
        vm.prank(stranger);
        escrow.splitAtSunset(trade.terms);
        bookSplit(index, uint256(trade.terms.amount) * trade.terms.sunsetBuyerBps / 10_000, address(0));
        done["splitAtSunset"]++;
    }

    function settle(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        uint256 index = anyLive();
        IEscrow.Settlement memory s = agreed(trades[index]);
        address caller = pick(3) == 0 ? callingParty(s, trades[index]) : stranger;
        vm.prank(caller);
        escrow.settle(s.terms, s.decision, s.sellerSig, s.buyerSig, s.arbiterSig);
        bookDecided(index, s);
        done["settle"]++;
    }

    function settleBatch(uint256 seed) public timely(seed) {
        uint256 count = live.length < 4 ? live.length : 4;
        if (count == 0) return;
        IEscrow.Settlement[] memory all = new IEscrow.Settlement[](count + 1);
        uint256[] memory indexes = new uint256[](count);
        uint256 first = pick(live.length);
        for (uint256 i = 0; i < count; i++) {
            indexes[i] = live[(first + i) % live.length];
            all[i] = agreed(trades[indexes[i]]);
        }
        all[count] = all[0];
        eq(escrow.settleBatch(all, true), count, "settled");
        for (uint256 i = 0; i < count; i++) bookDecided(indexes[i], all[i]);
        done["settleBatch"]++;
    }

    /// @dev Of trades whose parties are keys; each stands there twice and is passed over once.
    function releaseBatch(uint256 seed) public timely(seed) {
        if (live.length == 0) return;
        uint256 index = anyLive();
        Trade memory trade = trades[index];
        if (trade.seller.kind != Kind.KEY || trade.buyer.kind != Kind.KEY) return;
        IEscrow.Settlement memory s;
        (s.terms, s.decision) = (trade.terms, IEscrow.Decision(trade.terms.amount, false, uint40(clock)));
        bytes32 hash = settleHash(s.terms, s.decision);
        (s.sellerSig, s.buyerSig) = (signAs(trade.seller, hash), signAs(trade.buyer, hash));
        IEscrow.Release[] memory twice = new IEscrow.Release[](2);
        twice[0] = twice[1] = asRelease(s);
        eq(escrow.releaseBatch(trade.terms, uint40(clock), twice, true), 1, "settled");
        bookSplit(index, trade.terms.amount, address(0));
        done["releaseBatch"]++;
    }

    /// @dev Two of the three, by chance; the third stays silent.
    function agreed(Trade memory trade) private returns (IEscrow.Settlement memory s) {
        uint256 silent = pick(3);
        s.terms = trade.terms;
        uint256 share = pick(3) == 0 ? trade.terms.amount : pick(uint256(trade.terms.amount) + 1);
        s.decision = IEscrow.Decision(uint128(share), silent != 2 && pick(2) == 0, uint40(clock + pick(1 days)));
        bytes32 hash = settleHash(s.terms, s.decision);
        if (silent != 0) s.sellerSig = signAs(trade.seller, hash);
        if (silent != 1) s.buyerSig = signAs(trade.buyer, hash);
        if (silent != 2) s.arbiterSig = signAs(thirdOf(trade), hash);
    }

    /// @dev One of the signers calls instead of signing.
    function callingParty(IEscrow.Settlement memory s, Trade memory trade) private view returns (address) {
        if (s.sellerSig.length != 0) {
            s.sellerSig = "";
            return trade.terms.seller;
        }
        s.buyerSig = "";
        return trade.terms.buyer;
    }

    function bookDecided(uint256 index, IEscrow.Settlement memory s) private {
        bookSplit(index, s.decision.toBuyer, s.decision.payArbiter ? thirdOf(trades[index]).account : address(0));
    }

    // ── credits ────────────────────────────────────────────────────────────────────────────────

    function withdrawCredit(uint256 seed) public timely(seed) {
        (address token, address to) = anyCredit();
        if (to == address(0) || !canTake(token, to)) return;
        if (token == address(hostile)) hostile.list(to, false, hostile.mode());
        payee.set(0);
        vm.prank(stranger);
        escrow.withdrawCredit(token, to);
        done["withdrawCredit"]++;
    }

    function redirectCredit(uint256 seed) public timely(seed) {
        (address token, address creditor) = anyCredit();
        Party memory p = ownerOf[creditor];
        if (p.account == address(0)) return;
        uint256 amount = 1 + pick(escrow.credit(token, creditor));
        IEscrow.Redirect memory r = IEscrow.Redirect(token, creditor, bank, amount, ++salts, uint40(clock));
        escrow.redirectCredit(r, p.account, signAs(p, redirectHash(r)));
        due[token][creditor] -= amount;
        due[token][bank] += amount;
        done["redirectCredit"]++;
    }

    function anyCredit() private returns (address token, address to) {
        uint256 all = TOKENS * accounts.length;
        uint256 first = pick(all);
        for (uint256 i = 0; i < all; i++) {
            uint256 at = (first + i) % all;
            (token, to) = (tokens[at % TOKENS], accounts[at / TOKENS]);
            if (escrow.credit(token, to) != 0) return (token, to);
        }
        return (address(0), address(0));
    }

    /// @dev A contract without `receive` never takes the chain's own coin; its owner redirects.
    function canTake(address token, address to) private view returns (bool) {
        return token != address(0) || ownerOf[to].kind != Kind.WALLET || ownerOf[to].account != to;
    }

    // ── vaults ─────────────────────────────────────────────────────────────────────────────────

    function withdrawFromVault(uint256 seed) public timely(seed) {
        Party memory p = sellers[pick(4)];
        address token = tokens[pick(2)];
        Vault vault = Vault(payable(escrow.deployVault(p.account)));
        uint256 amount = balance(token, address(vault));
        IVault.Outflow memory out = IVault.Outflow(token, bank, amount, ++salts, uint40(clock));
        bytes memory coSig = signDigest(PLATFORM_KEY, vaultDigest(vault, "Withdraw", out));
        vm.prank(p.account);
        vault.withdraw(out, "", coSig);
        bookMoved(token, address(vault), amount);
        done["withdrawFromVault"]++;
    }

    function exitFromVault(uint256 seed) public timely(seed) {
        Party memory p = sellers[pick(4)];
        address token = tokens[pick(2)];
        Vault vault = Vault(payable(escrow.deployVault(p.account)));
        IVault.Outflow memory out = IVault.Outflow(token, bank, 1 + pick(1e9), ++salts, uint40(clock));
        vm.prank(p.account);
        vault.requestExit(out, "");
        clock += 2 days + pick(7 days);
        vm.warp(clock);
        uint256 held = balance(token, address(vault));
        vault.exit(out);
        bookMoved(token, address(vault), out.amount < held ? out.amount : held);
        done["exitFromVault"]++;
    }

    function bookMoved(address token, address vault, uint256 amount) private {
        due[token][vault] -= amount;
        due[token][bank] += amount;
    }

    function vaultDigest(Vault vault, string memory kind, IVault.Outflow memory out) private view returns (bytes32) {
        string memory fields = "(address token,address to,uint256 amount,uint256 nonce,uint40 deadline)";
        bytes32 structHash = keccak256(abi.encode(keccak256(abi.encodePacked(kind, fields)), out));
        bytes32 here = domain("OTC Portal Vault", address(vault), block.chainid);
        return keccak256(abi.encodePacked(hex"1901", here, structHash));
    }

    // ── the rest of the world ──────────────────────────────────────────────────────────────────

    function pass(uint256 seed) public timely(seed) {
        uint256[4] memory spans = [uint256(10 minutes), 3 hours, 10 days, 60 days];
        clock += 1 + pick(spans[pick(4)]);
        done["pass"]++;
    }

    function changeMoods(uint256 seed) public timely(seed) {
        hostile.list(accounts[1 + pick(accounts.length - 1)], pick(3) != 0, uint8(pick(4)));
        payee.set(uint8(pick(3)));
        done["changeMoods"]++;
    }

    function donate(uint256 seed) public timely(seed) {
        address token = tokens[pick(TOKENS - 1)];
        uint256 amount = pick(1e9);
        mint(token, address(escrow), amount);
        donated[token] += amount;
        done["donate"]++;
    }

    function openInTaxedToken(uint256 seed) public timely(seed) {
        Trade memory trade = newTrade(address(taxed));
        taxed.mint(escrow.vaultOf(trade.terms.seller), trade.terms.amount);
        IEscrow.OrderAuthority memory a = authorityFor(trade.terms);
        vm.prank(trade.terms.seller);
        try escrow.open(trade.terms, a, "") {
            done["taxed token was accepted"]++;
        } catch {
            done["openInTaxedToken"]++;
        }
    }

    // ── valid objects ──────────────────────────────────────────────────────────────────────────

    function newTrade(address token) internal returns (Trade memory trade) {
        trade.seller = sellers[pick(4)];
        trade.buyer = buyers[pick(4)];
        trade.arbiter = arbiters[pick(3)];
        trade.backup = arbiters[pick(3)];
        IEscrow.Terms memory t = someTerms();
        t.salt = bytes32(++salts);
        (t.seller, t.buyer) = (trade.seller.account, trade.buyer.account);
        (t.arbiter, t.backupArbiter) = (trade.arbiter.account, trade.backup.account);
        t.token = token;
        t.amount = uint128(1 + pick(pick(2) == 0 ? 1_000 : 1e12));
        t.fee = uint128(pick(uint256(t.amount) / 20 + 1));
        t.arbiterFee = uint128(pick(uint256(t.amount) / 50 + 1));
        t.payBy = uint40(clock + 1 + pick(4 hours));
        t.resolveBy = t.payBy + uint40(1 + pick(20 days));
        t.sunset = t.resolveBy + uint40(1 + pick(40 days));
        t.sunsetBuyerBps = uint16(5_000 + pick(5_001));
        trade.terms = t;
    }

    /// @dev Room for at least one more unit than the trade itself.
    function authorityFor(IEscrow.Terms memory t) internal returns (IEscrow.OrderAuthority memory a) {
        a = someAuthority();
        (a.owner, a.token, a.nonce) = (t.seller, t.token, ++salts);
        (a.arbiter, a.backupArbiter) = (t.arbiter, t.backupArbiter);
        a.maxTotal = uint128(t.amount + 1 + pick(1e12));
        a.maxPerTrade = a.maxTotal;
        (a.maxFeeBps, a.maxArbiterFeeBps) = (500, 200);
        a.payWindow = 4 hours;
        a.resolveWindow = uint32(t.resolveBy - t.payBy);
        a.sunsetWindow = uint32(t.sunset - t.payBy);
        a.sunsetBuyerBps = t.sunsetBuyerBps;
        a.deadline = uint40(clock);
    }
}
