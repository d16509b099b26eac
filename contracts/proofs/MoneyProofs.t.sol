// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {Split} from "../src/libraries/Split.sol";
import {ProofBase} from "./ProofBase.sol";

/// @notice Where the coins of a trade go.
contract MoneyProofs is ProofBase {
    // ── conservation ───────────────────────────────────────────────────────────────────────────

    function check_payouts_add_up_to_the_amount(uint128 toBuyer, bool payArbiter) public {
        settle(toBuyer, payArbiter);
        assert(paid(sellerVault) + paid(buyerVault) + paid(FEE_TO) + paid(address(arbiter)) == AMOUNT);
        assert(paid(address(escrow)) == 0);
    }

    function twin_payouts_add_up_to_the_amount(uint128 toBuyer, bool payArbiter) public {
        settle(toBuyer, payArbiter);
        assert(paid(sellerVault) + paid(buyerVault) + paid(FEE_TO) == AMOUNT);
    }

    /// @dev What the token refuses to deliver stays in the escrow as credit, to the last unit.
    function check_balance_covers_credits(uint8 which, bool payArbiter, bool[4] memory barred) public {
        bar(barred);
        settle(portion(which), payArbiter);
        assert(paid(address(escrow)) == credits());
    }

    function twin_balance_covers_credits(uint8 which, bool payArbiter, bool[4] memory barred) public {
        bar(barred);
        settle(portion(which), payArbiter);
        assert(paid(address(escrow)) == credit(buyerVault));
    }

    function check_shares_always_exist(uint128 toBuyer, bool payArbiter) public view {
        vm.assume(toBuyer <= AMOUNT);
        assert(sharesExist(toBuyer, payArbiter));
    }

    function twin_shares_always_exist(uint128 toBuyer, bool payArbiter) public view {
        assert(sharesExist(toBuyer, payArbiter));
    }

    // ── nobody outside the terms ───────────────────────────────────────────────────────────────

    function check_nobody_else_is_paid(uint128 toBuyer, bool payArbiter, address other) public {
        vm.assume(other != sellerVault && other != buyerVault && other != FEE_TO && other != address(arbiter));
        vm.assume(other != address(escrow));
        settle(toBuyer, payArbiter);
        assert(paid(other) == 0 && credit(other) == 0);
    }

    function twin_nobody_else_is_paid(uint128 toBuyer, bool payArbiter, address other) public {
        vm.assume(other != address(escrow));
        settle(toBuyer, payArbiter);
        assert(paid(other) == 0 && credit(other) == 0);
    }

    // ── a payee that can't be paid never blocks the others ─────────────────────────────────────

    function check_a_failing_payee_blocks_nobody(uint8 which, bool[4] memory barred) public {
        vm.assume(which < 3);
        bar(barred);
        assert(trySettle(portion(which), true));
        assert(barred[3] || paid(address(arbiter)) == 10_007);
    }

    function twin_a_failing_payee_blocks_nobody(uint8 which, bool[4] memory barred) public {
        vm.assume(which < 3);
        bar(barred);
        assert(trySettle(portion(which), true));
        assert(paid(address(arbiter)) == 10_007);
    }

    // ── a full release is the buyer's, a full return the seller's ──────────────────────────────

    function check_a_cancelled_trade_returns_everything(bool marked, uint40 time) public {
        if (marked) pay();
        vm.warp(time);
        vm.prank(address(buyer));
        escrow.cancel(someTerms(), "");
        assert(paid(sellerVault) == AMOUNT && paid(address(escrow)) == 0);
    }

    function twin_a_cancelled_trade_returns_everything(bool marked, uint40 time) public {
        if (marked) pay();
        vm.warp(time);
        vm.prank(address(buyer));
        escrow.cancel(someTerms(), "");
        assert(paid(sellerVault) == AMOUNT && !is_(IEscrow.Status.CLOSED));
    }

    function check_fees_never_exceed_the_caps(uint64 fee, uint64 arbiterFee) public {
        vm.assume(uint256(fee) * 10_000 > uint256(AMOUNT) * 500 || uint256(arbiterFee) * 10_000 > uint256(AMOUNT) * 200);
        assert(!openedWith(fee, arbiterFee));
    }

    function twin_fees_never_exceed_the_caps(uint64 fee, uint64 arbiterFee) public {
        assert(!openedWith(fee, arbiterFee));
    }

    // ── an authority is never overdrawn ────────────────────────────────────────────────────────

    function check_an_authority_is_never_overdrawn(uint64 first, uint64 second) public {
        drawTwice(first, second);
        assert(escrow.usedOf(escrow.authorityHashOf(wide())) <= 1_000_000);
    }

    function twin_an_authority_is_never_overdrawn(uint64 first, uint64 second) public {
        drawTwice(first, second);
        assert(escrow.usedOf(escrow.authorityHashOf(wide())) < 1_000_000);
    }

    function check_a_revoked_authority_opens_nothing(uint64 amount, address caller) public {
        vm.prank(address(seller));
        escrow.revokeAuthority(wide(), "");
        assert(!draw(2, amount, caller));
    }

    function twin_a_revoked_authority_opens_nothing(uint64 amount, address caller) public {
        assert(!draw(2, amount, caller));
    }

    // ── a credit is its owner's ────────────────────────────────────────────────────────────────

    function check_nobody_redirects_anothers_credit(address caller, bool honest, address to, uint64 part) public {
        vm.assume(caller != address(buyer));
        assert(!redirected(caller, honest ? address(buyer) : address(0xBAD), to, part));
    }

    function twin_nobody_redirects_anothers_credit(address caller, bool honest, address to, uint64 part) public {
        assert(!redirected(caller, honest ? address(buyer) : address(0xBAD), to, part));
    }

    // ── what happens ───────────────────────────────────────────────────────────────────────────

    function sharesExist(uint128 toBuyer, bool payArbiter) private view returns (bool) {
        try this.shares(someTerms(), toBuyer, payArbiter ? 10_007 : 0) returns (Split.Shares memory s) {
            return uint256(s.buyer) + s.seller + s.feeTo + s.arbiter == AMOUNT;
        } catch {
            return false;
        }
    }

    function shares(IEscrow.Terms calldata t, uint128 toBuyer, uint128 arbiterFee)
        external
        pure
        returns (Split.Shares memory)
    {
        return Split.shares(t, toBuyer, arbiterFee);
    }

    function paid(address who) private view returns (uint256) {
        return token.balanceOf(who);
    }

    function credit(address who) private view returns (uint256) {
        return escrow.credit(address(token), who);
    }

    function credits() private view returns (uint256) {
        return credit(sellerVault) + credit(buyerVault) + credit(FEE_TO) + credit(address(arbiter));
    }

    function bar(bool[4] memory barred) private {
        token.bar(sellerVault, barred[0]);
        token.bar(buyerVault, barred[1]);
        token.bar(FEE_TO, barred[2]);
        token.bar(address(arbiter), barred[3]);
    }

    function trySettle(uint128 toBuyer, bool payArbiter) private returns (bool) {
        buyer.set(true);
        arbiter.set(true);
        return settleAs(address(this), decision(toBuyer, payArbiter), false, true, true);
    }

    function settle(uint128 toBuyer, bool payArbiter) private {
        bool done = trySettle(toBuyer, payArbiter);
        vm.assume(done);
    }

    function wide() private view returns (IEscrow.OrderAuthority memory a) {
        a = someAuthority();
        (a.nonce, a.maxTotal, a.maxPerTrade) = (8, 1_000_000, 1_000_000);
        (a.maxFeeBps, a.maxArbiterFeeBps) = (10_000, 10_000);
    }

    function draw(uint256 salt, uint64 amount, address caller) private returns (bool) {
        token.mint(sellerVault, amount);
        IEscrow.Terms memory t = someTerms();
        (t.salt, t.amount, t.fee, t.arbiterFee) = (bytes32(salt), amount, 0, 0);
        seller.set(true);
        return opened(t, caller);
    }

    function drawTwice(uint64 first, uint64 second) private {
        draw(2, first, address(this));
        draw(3, second, address(this));
    }

    function openedWith(uint64 fee, uint64 arbiterFee) private returns (bool) {
        token.mint(sellerVault, AMOUNT);
        IEscrow.Terms memory t = someTerms();
        (t.salt, t.fee, t.arbiterFee) = (bytes32(uint256(2)), fee, arbiterFee);
        IEscrow.OrderAuthority memory a = wide();
        (a.maxTotal, a.maxPerTrade) = (AMOUNT, AMOUNT);
        bytes memory act = abi.encodeCall(escrow.open, (t, a, ""));
        vm.prank(address(seller));
        (bool ok,) = address(escrow).call(act);
        return ok;
    }

    function opened(IEscrow.Terms memory t, address caller) private returns (bool ok) {
        bytes memory act = abi.encodeCall(escrow.open, (t, wide(), YES));
        vm.prank(caller);
        (ok,) = address(escrow).call(act);
    }

    function redirected(address caller, address owner, address to, uint64 part) private returns (bool ok) {
        token.bar(buyerVault, true);
        settle(AMOUNT, false);
        buyer.set(false);
        IEscrow.Redirect memory r =
            IEscrow.Redirect(address(token), buyerVault, to, part, 1, type(uint40).max);
        bytes memory act = abi.encodeCall(escrow.redirectCredit, (r, owner, YES));
        vm.prank(caller);
        (ok,) = address(escrow).call(act);
    }
}
