// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {IEscrowErrors} from "../src/interfaces/IEscrowErrors.sol";
import {IEscrowEvents} from "../src/interfaces/IEscrowEvents.sol";
import {TokenPush} from "../src/libraries/TokenPush.sol";
import {HostileToken} from "./tokens/Tokens.sol";
import {EscrowTestBase} from "./EscrowTestBase.sol";

contract EscrowCloseTest is EscrowTestBase {
    // ── markPaid ───────────────────────────────────────────────────────────────────────────────

    function test_buyer_marks_paid_by_signature_or_call() public {
        status(escrow.tradeIdOf(openPaid()), IEscrow.Status.PAID);
        IEscrow.Terms memory t = someTerms();
        t.salt = bytes32(uint256(2));
        bytes32 id = open(t);
        vm.prank(buyer);
        escrow.markPaid(t, "");
        status(id, IEscrow.Status.PAID);
    }

    function test_mark_paid_counts_until_the_last_second() public {
        IEscrow.Terms memory t = someTerms();
        bytes32 id = open(t);
        bytes memory sig = signMarkPaid(BUYER_KEY, t);
        vm.warp(uint256(t.payBy) + 1);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.DeadlinePassed.selector, uint256(t.payBy)));
        escrow.markPaid(t, sig);
        vm.warp(t.payBy);
        escrow.markPaid(t, sig);
        status(id, IEscrow.Status.PAID);
    }

    function test_only_the_buyer_marks_paid() public {
        IEscrow.Terms memory t = someTerms();
        open(t);
        bytes memory sig = signMarkPaid(SELLER_KEY, t);
        vm.expectRevert(badSignature(buyer));
        escrow.markPaid(t, sig);
    }

    function test_one_trades_signature_does_not_mark_another() public {
        IEscrow.Terms memory t = someTerms();
        open(t);
        bytes memory sig = signMarkPaid(BUYER_KEY, t);
        t.salt = bytes32(uint256(2));
        open(t);
        vm.expectRevert(badSignature(buyer));
        escrow.markPaid(t, sig);
    }

    // ── cancel and expire ──────────────────────────────────────────────────────────────────────

    function test_buyer_cancels_an_open_trade_and_the_seller_gets_all() public {
        IEscrow.Terms memory t = someTerms();
        bytes32 id = open(t);
        escrow.cancel(t, signCancel(BUYER_KEY, t));
        status(id, IEscrow.Status.CLOSED);
        eq(usdt.balanceOf(sellerVault), 10 * AMOUNT, "seller");
    }

    function test_buyer_cancels_a_paid_trade_too() public {
        IEscrow.Terms memory t = openPaid();
        vm.prank(buyer);
        escrow.cancel(t, "");
        eq(usdt.balanceOf(sellerVault), 10 * AMOUNT, "seller");
    }

    function test_seller_and_arbiter_cannot_cancel() public {
        IEscrow.Terms memory t = someTerms();
        open(t);
        bytes memory sig = signCancel(SELLER_KEY, t);
        vm.expectRevert(badSignature(buyer));
        escrow.cancel(t, sig);
        vm.prank(arbiter);
        vm.expectRevert(badSignature(buyer));
        escrow.cancel(t, "");
    }

    function test_anyone_expires_an_unpaid_trade_after_its_time() public {
        IEscrow.Terms memory t = someTerms();
        bytes32 id = open(t);
        vm.warp(t.payBy);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.TooEarly.selector, uint256(t.payBy)));
        escrow.expire(t);
        vm.warp(uint256(t.payBy) + 1);
        vm.prank(stranger);
        escrow.expire(t);
        status(id, IEscrow.Status.CLOSED);
        eq(usdt.balanceOf(sellerVault), 10 * AMOUNT, "seller");
    }

    function test_a_paid_trade_never_expires() public {
        IEscrow.Terms memory t = openPaid();
        vm.warp(uint256(t.payBy) + 365 days);
        vm.expectRevert(
            abi.encodeWithSelector(IEscrowErrors.WrongStatus.selector, escrow.tradeIdOf(t), IEscrow.Status.PAID)
        );
        escrow.expire(t);
    }

    function test_nothing_happens_to_a_trade_that_was_never_opened() public {
        refusesEveryAct(someTerms(), IEscrow.Status.NONE);
    }

    function test_nothing_happens_to_a_closed_trade() public {
        IEscrow.Terms memory t = openPaid();
        settleBySellerAndBuyer(t, AMOUNT);
        refusesEveryAct(t, IEscrow.Status.CLOSED);
        eq(usdt.balanceOf(address(escrow)), 0, "escrow");
    }

    // ── settle ─────────────────────────────────────────────────────────────────────────────────

    function test_full_release_pays_the_buyer_and_the_fee() public {
        IEscrow.Terms memory t = openPaid();
        settleBySellerAndBuyer(t, AMOUNT);
        eq(usdt.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
        eq(usdt.balanceOf(feeTo), FEE, "fee");
        eq(usdt.balanceOf(sellerVault), 9 * AMOUNT, "seller");
        status(escrow.tradeIdOf(t), IEscrow.Status.CLOSED);
    }

    function test_settle_emits_share_and_fee() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = fullRelease(t);
        bytes memory a = signSettle(SELLER_KEY, t, s);
        bytes memory b = signSettle(BUYER_KEY, t, s);
        vm.expectEmit(true, true, true, true, address(escrow));
        emit IEscrowEvents.Settled(escrow.tradeIdOf(t), AMOUNT, FEE, 0);
        escrow.settle(t, s, a, b, "");
    }

    function test_an_open_trade_settles_without_being_marked_paid() public {
        IEscrow.Terms memory t = someTerms();
        open(t);
        settleBySellerAndBuyer(t, AMOUNT);
        eq(usdt.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }

    function test_arbiter_and_buyer_decide_for_the_buyer() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = fullRelease(t);
        escrow.settle(t, s, "", signSettle(BUYER_KEY, t, s), signSettle(ARBITER_KEY, t, s));
        eq(usdt.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }

    function test_arbiter_and_seller_decide_for_the_seller() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = decision(0);
        escrow.settle(t, s, signSettle(SELLER_KEY, t, s), "", signSettle(ARBITER_KEY, t, s));
        eq(usdt.balanceOf(sellerVault), 10 * AMOUNT, "seller");
        eq(usdt.balanceOf(feeTo), 0, "fee");
    }

    function test_the_caller_counts_as_one_signer() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = fullRelease(t);
        bytes memory sig = signSettle(BUYER_KEY, t, s);
        vm.prank(seller);
        escrow.settle(t, s, "", sig, "");
        eq(usdt.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }

    function test_one_signer_is_not_enough() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = fullRelease(t);
        bytes memory sig = signSettle(ARBITER_KEY, t, s);
        vm.expectRevert(missing(1));
        escrow.settle(t, s, "", "", sig);
        vm.prank(arbiter);
        vm.expectRevert(missing(1));
        escrow.settle(t, s, "", "", sig);
        vm.expectRevert(missing(0));
        escrow.settle(t, s, "", "", "");
    }

    function test_one_key_cannot_sign_in_two_places() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = fullRelease(t);
        bytes memory sig = signSettle(BUYER_KEY, t, s);
        vm.expectRevert(badSignature(seller));
        escrow.settle(t, s, sig, sig, "");
        vm.expectRevert(badSignature(arbiter));
        escrow.settle(t, s, "", sig, sig);
    }

    function test_signers_must_agree_on_the_same_share() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = fullRelease(t);
        bytes memory mine = signSettle(BUYER_KEY, t, s);
        bytes memory other = signSettle(SELLER_KEY, t, decision(AMOUNT / 2));
        vm.expectRevert(badSignature(seller));
        escrow.settle(t, s, other, mine, "");
    }

    function test_a_decision_belongs_to_one_trade() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = fullRelease(t);
        bytes memory a = signSettle(SELLER_KEY, t, s);
        bytes memory b = signSettle(BUYER_KEY, t, s);
        t.salt = bytes32(uint256(2));
        open(t);
        vm.expectRevert(badSignature(seller));
        escrow.settle(t, s, a, b, "");
    }

    function test_a_decision_for_another_chain_is_refused() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = fullRelease(t);
        bytes32 elsewhere = domain("OTC Portal Escrow", address(escrow), 1);
        bytes memory a = signIn(elsewhere, SELLER_KEY, settleHash(t, s));
        bytes memory b = signSettle(BUYER_KEY, t, s);
        vm.expectRevert(badSignature(seller));
        escrow.settle(t, s, a, b, "");
    }

    function test_a_decision_past_its_deadline_is_refused() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = fullRelease(t);
        bytes memory a = signSettle(SELLER_KEY, t, s);
        bytes memory b = signSettle(BUYER_KEY, t, s);
        vm.warp(uint256(s.deadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.DeadlinePassed.selector, uint256(s.deadline)));
        escrow.settle(t, s, a, b, "");
    }

    function test_nobody_gets_more_than_the_amount() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory s = decision(AMOUNT + 1);
        bytes memory a = signSettle(SELLER_KEY, t, s);
        bytes memory b = signSettle(BUYER_KEY, t, s);
        vm.expectRevert(badTerms("toBuyer"));
        escrow.settle(t, s, a, b, "");
    }

    function testFuzz_split_pays_out_exactly_the_amount(uint128 amount, uint128 fee, uint128 toBuyer) public {
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        t.amount = uint128(1 + uint256(amount) % (5 * AMOUNT));
        t.fee = uint128(fee % (uint256(t.amount) / 20 + 1));
        a.maxTotal = a.maxPerTrade = t.amount;
        a.maxFeeBps = 500;
        t.arbiterFee = 0;
        a.minPerTrade = 0;
        toBuyer = uint128(toBuyer % (uint256(t.amount) + 1));
        openWith(t, a);
        settleBySellerAndBuyer(t, toBuyer);
        uint256 feePart = uint256(t.fee) * toBuyer / t.amount;
        eq(usdt.balanceOf(feeTo), feePart, "fee");
        eq(usdt.balanceOf(buyerVault), toBuyer - feePart, "buyer");
        eq(usdt.balanceOf(sellerVault), 10 * AMOUNT - toBuyer, "seller");
        eq(usdt.balanceOf(address(escrow)), 0, "escrow");
    }

    // ── payees that cannot be paid ─────────────────────────────────────────────────────────────

    function test_a_failing_payee_gets_credit_and_blocks_nobody() public {
        for (uint8 mode = 0; mode < 4; mode++) {
            HostileToken token = settledWithListedBuyer(mode);
            uint256 due = AMOUNT - FEE;
            eq(token.balanceOf(buyerVault), 0, "buyer");
            eq(token.balanceOf(feeTo), FEE, "fee");
            eq(escrow.credit(address(token), buyerVault), due, "credit");
            eq(token.balanceOf(address(escrow)), due, "escrow");
        }
    }

    function test_credit_is_paid_once_and_only_to_its_owner() public {
        HostileToken token = settledWithListedBuyer(0);
        token.list(buyerVault, false, 0);
        vm.prank(stranger);
        escrow.withdrawCredit(address(token), buyerVault);
        eq(token.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
        vm.expectRevert(IEscrowErrors.NoCredit.selector);
        escrow.withdrawCredit(address(token), buyerVault);
    }

    function test_credit_survives_while_the_payee_is_still_refused() public {
        HostileToken token = settledWithListedBuyer(1);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.TransferRefused.selector, address(token), buyerVault));
        escrow.withdrawCredit(address(token), buyerVault);
        eq(escrow.credit(address(token), buyerVault), AMOUNT - FEE, "credit");
    }

    function test_a_relayer_cannot_starve_a_payout_of_gas() public {
        IEscrow.Terms memory t = openPaid();
        bytes memory sig = signCancel(BUYER_KEY, t);
        vm.expectRevert(TokenPush.GasTooLow.selector);
        escrow.cancel{gas: 180_000}(t, sig);
        status(escrow.tradeIdOf(t), IEscrow.Status.PAID);
    }

    function test_token_cannot_reenter_while_it_is_paid_out() public {
        HostileToken token = new HostileToken();
        token.mint(sellerVault, AMOUNT);
        IEscrow.Terms memory t = openPaidIn(token);
        token.reenter(address(escrow), abi.encodeCall(escrow.cancel, (t, signCancel(BUYER_KEY, t))));
        settleBySellerAndBuyer(t, AMOUNT);
        eq(token.reentered() ? 1 : 0, 0, "reentered");
        eq(token.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }

    function settledWithListedBuyer(uint8 mode) private returns (HostileToken token) {
        token = new HostileToken();
        token.mint(sellerVault, AMOUNT);
        IEscrow.Terms memory t = openPaidIn(token);
        token.list(buyerVault, true, mode);
        settleBySellerAndBuyer(t, AMOUNT);
    }

    function openPaidIn(HostileToken token) private returns (IEscrow.Terms memory t) {
        t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        t.token = a.token = address(token);
        openWith(t, a);
        escrow.markPaid(t, signMarkPaid(BUYER_KEY, t));
    }

    function refusesEveryAct(IEscrow.Terms memory t, IEscrow.Status current) private {
        bytes memory why = abi.encodeWithSelector(IEscrowErrors.WrongStatus.selector, escrow.tradeIdOf(t), current);
        IEscrow.Decision memory s = fullRelease(t);
        bytes memory paid = signMarkPaid(BUYER_KEY, t);
        bytes memory cancelled = signCancel(BUYER_KEY, t);
        bytes memory a = signSettle(SELLER_KEY, t, s);
        bytes memory b = signSettle(BUYER_KEY, t, s);
        vm.expectRevert(why);
        escrow.markPaid(t, paid);
        vm.expectRevert(why);
        escrow.cancel(t, cancelled);
        vm.expectRevert(why);
        escrow.settle(t, s, a, b, "");
        vm.warp(uint256(t.payBy) + 1);
        vm.expectRevert(why);
        escrow.expire(t);
    }
}
