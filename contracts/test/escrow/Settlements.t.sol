// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {IEscrowErrors} from "../../src/interfaces/IEscrowErrors.sol";
import {IEscrowEvents} from "../../src/interfaces/IEscrowEvents.sol";
import {HostileToken} from "../tokens/Tokens.sol";
import {BurningWallet} from "../tokens/Wallets.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";

contract SettlementsTest is EscrowTestBase {
    // ── arbiter and backup ─────────────────────────────────────────────────────────────────────

    function test_the_arbiter_counts_until_the_last_second_and_the_backup_after_it() public {
        IEscrow.Terms memory t = openPaid();
        vm.warp(t.resolveBy);
        eq(escrow.arbiterNow(t), arbiter, "last second");
        vm.warp(uint256(t.resolveBy) + 1);
        eq(escrow.arbiterNow(t), backup, "a second later");
    }

    function test_the_backup_cannot_decide_early() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = fullRelease(t);
        bytes memory a = signSettle(BUYER_KEY, t, d);
        bytes memory b = signSettle(BACKUP_KEY, t, d);
        vm.warp(t.resolveBy);
        vm.expectRevert(badSignature(arbiter));
        escrow.settle(t, d, "", a, b);
    }

    function test_the_arbiter_cannot_decide_late_but_the_backup_can() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = fullRelease(t);
        bytes memory a = signSettle(BUYER_KEY, t, d);
        bytes memory late = signSettle(ARBITER_KEY, t, d);
        bytes memory b = signSettle(BACKUP_KEY, t, d);
        vm.warp(uint256(t.resolveBy) + 1);
        vm.expectRevert(badSignature(backup));
        escrow.settle(t, d, "", a, late);
        vm.prank(arbiter);
        vm.expectRevert(missing(1));
        escrow.settle(t, d, "", a, "");
        escrow.settle(t, d, "", a, b);
        eq(usdt.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }

    function test_backup_and_arbiter_together_are_one_signer() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = fullRelease(t);
        bytes memory sig = signSettle(BACKUP_KEY, t, d);
        vm.prank(arbiter);
        vm.expectRevert(missing(1));
        escrow.settle(t, d, "", "", sig);
    }

    // ── the arbiter's fee ──────────────────────────────────────────────────────────────────────

    function test_the_arbiter_earns_only_by_a_decision_that_says_so() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = fullRelease(t);
        escrow.settle(t, d, "", signSettle(BUYER_KEY, t, d), signSettle(ARBITER_KEY, t, d));
        eq(usdt.balanceOf(arbiter), 0, "arbiter");
    }

    function test_both_parties_bear_the_arbiters_fee_in_proportion() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = decision(AMOUNT / 4);
        d.payArbiter = true;
        escrow.settle(t, d, "", signSettle(BUYER_KEY, t, d), signSettle(ARBITER_KEY, t, d));
        uint256 fromBuyer = uint256(ARBITER_FEE) / 4;
        eq(usdt.balanceOf(arbiter), ARBITER_FEE, "arbiter");
        eq(usdt.balanceOf(buyerVault), AMOUNT / 4 - uint256(FEE) / 4 - fromBuyer, "buyer");
        eq(usdt.balanceOf(sellerVault), 10 * AMOUNT - AMOUNT / 4 - (ARBITER_FEE - fromBuyer), "seller");
        eq(usdt.balanceOf(address(escrow)), 0, "escrow");
    }

    function test_the_backup_earns_what_the_backup_decides() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = fullRelease(t);
        d.payArbiter = true;
        bytes memory a = signSettle(BUYER_KEY, t, d);
        bytes memory b = signSettle(BACKUP_KEY, t, d);
        vm.warp(uint256(t.resolveBy) + 1);
        escrow.settle(t, d, "", a, b);
        eq(usdt.balanceOf(backup), ARBITER_FEE, "backup");
        eq(usdt.balanceOf(arbiter), 0, "arbiter");
    }

    function test_no_fee_for_an_arbiter_who_did_not_sign() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = fullRelease(t);
        d.payArbiter = true;
        bytes memory a = signSettle(SELLER_KEY, t, d);
        bytes memory b = signSettle(BUYER_KEY, t, d);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.ArbiterDidNotSign.selector, arbiter));
        escrow.settle(t, d, a, b, "");
    }

    function test_an_arbiter_cannot_add_their_fee_to_what_the_parties_signed() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = fullRelease(t);
        bytes memory a = signSettle(SELLER_KEY, t, d);
        d.payArbiter = true;
        bytes memory b = signSettle(ARBITER_KEY, t, d);
        vm.expectRevert(badSignature(seller));
        escrow.settle(t, d, a, "", b);
    }

    function testFuzz_every_unit_of_an_arbitrated_split_is_paid(uint128 toBuyer, uint128 fee, uint128 arbiterFee)
        public
    {
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        a.maxFeeBps = a.maxArbiterFeeBps = 500;
        t.fee = fee % (AMOUNT / 20 + 1);
        t.arbiterFee = arbiterFee % (AMOUNT / 50 + 1);
        openWith(t, a);
        IEscrow.Decision memory d = decision(toBuyer % (AMOUNT + 1));
        d.payArbiter = true;
        escrow.settle(t, d, signSettle(SELLER_KEY, t, d), "", signSettle(ARBITER_KEY, t, d));
        eq(usdt.balanceOf(address(escrow)), 0, "escrow");
        eq(usdt.balanceOf(arbiter), t.arbiterFee, "arbiter");
        uint256 all = usdt.balanceOf(buyerVault) + usdt.balanceOf(sellerVault) + usdt.balanceOf(feeTo);
        eq(all + t.arbiterFee, 10 * AMOUNT, "all");
    }

    // ── the sunset ─────────────────────────────────────────────────────────────────────────────

    function test_after_its_sunset_anybody_triggers_the_agreed_split() public {
        IEscrow.Terms memory t = openPaid();
        vm.warp(t.sunset);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.TooEarly.selector, uint256(t.sunset)));
        escrow.splitAtSunset(t);
        vm.warp(uint256(t.sunset) + 1);
        uint128 share = uint128(uint256(AMOUNT) * 6_000 / 10_000);
        uint128 feePart = uint128(uint256(FEE) * share / AMOUNT);
        vm.expectEmit(true, true, true, true, address(escrow));
        emit IEscrowEvents.SunsetReached(escrow.tradeIdOf(t));
        vm.expectEmit(true, true, true, true, address(escrow));
        emit IEscrowEvents.Settled(escrow.tradeIdOf(t), share, feePart, 0);
        vm.prank(stranger);
        escrow.splitAtSunset(t);
        eq(usdt.balanceOf(buyerVault), share - feePart, "buyer");
        eq(usdt.balanceOf(sellerVault), 10 * AMOUNT - share, "seller");
        eq(usdt.balanceOf(feeTo), feePart, "fee");
        eq(usdt.balanceOf(address(escrow)), 0, "escrow");
        status(escrow.tradeIdOf(t), IEscrow.Status.CLOSED);
    }

    function test_a_sunset_is_for_paid_trades_that_are_still_open() public {
        IEscrow.Terms memory t = someTerms();
        bytes32 id = escrow.tradeIdOf(t);
        vm.warp(uint256(t.sunset) + 1);
        vm.expectRevert(wrongStatus(id, IEscrow.Status.NONE));
        escrow.splitAtSunset(t);
        vm.warp(NOW);
        open(t);
        vm.warp(uint256(t.sunset) + 1);
        vm.expectRevert(wrongStatus(id, IEscrow.Status.OPEN));
        escrow.splitAtSunset(t);
        escrow.expire(t);
        vm.expectRevert(wrongStatus(id, IEscrow.Status.CLOSED));
        escrow.splitAtSunset(t);
    }

    function test_two_signers_may_still_decide_after_the_sunset() public {
        IEscrow.Terms memory t = openPaid();
        vm.warp(uint256(t.sunset) + 1);
        settleBySellerAndBuyer(t, AMOUNT);
        eq(usdt.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }

    // ── batches ────────────────────────────────────────────────────────────────────────────────

    function test_a_batch_pays_each_payee_once() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = batch(token, 5);
        eq(escrow.settleBatch(all, false), 5, "settled");
        eq(token.balanceOf(buyerVault), 5 * uint256(AMOUNT - FEE), "buyer");
        eq(token.balanceOf(feeTo), 5 * uint256(FEE), "fee");
        eq(token.balanceOf(address(escrow)), 0, "escrow");
        eq(token.transfers(), 5 + 2, "five openings, two payouts");
    }

    function test_a_batch_pays_the_arbiter_who_decided() public {
        IEscrow.Settlement[] memory all = new IEscrow.Settlement[](1);
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = fullRelease(t);
        d.payArbiter = true;
        all[0] = IEscrow.Settlement(t, d, "", signSettle(BUYER_KEY, t, d), signSettle(ARBITER_KEY, t, d));
        escrow.settleBatch(all, false);
        eq(usdt.balanceOf(arbiter), ARBITER_FEE, "arbiter");
        eq(usdt.balanceOf(address(escrow)), 0, "escrow");
    }

    function test_a_batch_of_two_coins_keeps_them_apart() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = batch(token, 2);
        IEscrow.Terms memory t = openPaid();
        all[1] = bySellerAndBuyer(t, decision(AMOUNT / 2));
        escrow.settleBatch(all, false);
        uint256 half = AMOUNT / 2;
        eq(token.balanceOf(buyerVault), AMOUNT - FEE, "token");
        eq(usdt.balanceOf(buyerVault), half - uint256(FEE) * half / AMOUNT, "usdt");
        eq(usdt.balanceOf(sellerVault), 9 * uint256(AMOUNT) + AMOUNT - half, "seller");
    }

    function test_a_batch_that_must_not_skip_reverts_as_the_one_would() public {
        IEscrow.Settlement[] memory all = batch(new HostileToken(), 3);
        all[1].buyerSig = "";
        vm.expectRevert(missing(1));
        escrow.settleBatch(all, false);
        status(escrow.tradeIdOf(all[0].terms), IEscrow.Status.OPEN);
    }

    function test_a_batch_that_may_skip_names_why_and_goes_on() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = batch(token, 3);
        all[1].sellerSig = all[1].buyerSig;
        vm.expectEmit(true, true, true, true, address(escrow));
        emit IEscrowEvents.Skipped(escrow.tradeIdOf(all[1].terms), badSignature(seller));
        eq(escrow.settleBatch(all, true), 2, "settled");
        eq(token.balanceOf(buyerVault), 2 * uint256(AMOUNT - FEE), "buyer");
        eq(token.balanceOf(address(escrow)), AMOUNT, "escrow");
        status(escrow.tradeIdOf(all[1].terms), IEscrow.Status.OPEN);
    }

    function test_a_trade_twice_in_a_batch_is_paid_once() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = batch(token, 2);
        all[1] = all[0];
        vm.expectRevert(wrongStatus(escrow.tradeIdOf(all[0].terms), IEscrow.Status.CLOSED));
        escrow.settleBatch(all, false);
        eq(escrow.settleBatch(all, true), 1, "settled");
        eq(token.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }

    function test_two_batches_in_one_transaction_do_not_mix() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = batch(token, 2);
        IEscrow.Settlement[] memory one = new IEscrow.Settlement[](1);
        one[0] = all[0];
        escrow.settleBatch(one, false);
        one[0] = all[1];
        escrow.settleBatch(one, false);
        eq(token.balanceOf(buyerVault), 2 * uint256(AMOUNT - FEE), "buyer");
        eq(token.balanceOf(address(escrow)), 0, "escrow");
    }

    function test_an_empty_batch_does_nothing() public {
        eq(escrow.settleBatch(new IEscrow.Settlement[](0), false), 0, "settled");
    }

    function test_a_refused_payee_of_a_batch_gets_one_credit_and_blocks_nobody() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = batch(token, 3);
        token.list(buyerVault, true, 3);
        escrow.settleBatch(all, false);
        eq(escrow.credit(address(token), buyerVault), 3 * uint256(AMOUNT - FEE), "credit");
        eq(token.balanceOf(feeTo), 3 * uint256(FEE), "fee");
    }

    function test_a_token_cannot_reenter_a_batch() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = batch(token, 2);
        IEscrow.Settlement[] memory again = new IEscrow.Settlement[](1);
        again[0] = all[1];
        token.reenter(address(escrow), abi.encodeCall(escrow.settleBatch, (again, false)));
        escrow.settleBatch(all, false);
        eq(token.reentered() ? 1 : 0, 0, "reentered");
        eq(token.balanceOf(buyerVault), 2 * uint256(AMOUNT - FEE), "buyer");
    }

    function test_a_signers_contract_cannot_burn_the_gas_of_a_batch() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = batch(token, 3);
        IEscrow.Terms memory t = someTerms();
        t.salt = bytes32(uint256(77));
        t.buyer = address(new BurningWallet());
        open(t);
        all[1] = bySellerAndBuyer(t, fullRelease(t));
        eq(escrow.settleBatch{gas: 2_500_000}(all, true), 2, "settled");
    }

    function testFuzz_a_batch_pays_what_its_trades_would(uint128[4] memory parts) public {
        IEscrow.Settlement[] memory all = new IEscrow.Settlement[](4);
        IEscrow.OrderAuthority memory a = someAuthority();
        a.maxTotal = type(uint128).max;
        (uint256 buyerGets, uint256 fees) = (0, 0);
        for (uint256 i = 0; i < 4; i++) {
            IEscrow.Terms memory t = someTerms();
            t.salt = bytes32(i + 1);
            openWith(t, a);
            uint128 share = parts[i] % (AMOUNT + 1);
            all[i] = bySellerAndBuyer(t, decision(share));
            uint256 feePart = uint256(FEE) * share / AMOUNT;
            (buyerGets, fees) = (buyerGets + share - feePart, fees + feePart);
        }
        escrow.settleBatch(all, false);
        eq(usdt.balanceOf(buyerVault), buyerGets, "buyer");
        eq(usdt.balanceOf(feeTo), fees, "fees");
        eq(usdt.balanceOf(sellerVault), 10 * uint256(AMOUNT) - buyerGets - fees, "seller");
        eq(usdt.balanceOf(address(escrow)), 0, "escrow");
    }

    function batch(HostileToken token, uint256 size) private returns (IEscrow.Settlement[] memory all) {
        all = new IEscrow.Settlement[](size);
        token.mint(sellerVault, size * AMOUNT);
        (IEscrow.Terms memory t, IEscrow.OrderAuthority memory a) = inCoin(address(token));
        a.maxTotal = type(uint128).max;
        for (uint256 i = 0; i < size; i++) {
            t.salt = bytes32(i + 1);
            openWith(t, a);
            all[i] = bySellerAndBuyer(copy(t), fullRelease(t));
        }
    }

    /// @dev A memory struct is a reference: the batch needs one of its own per trade.
    function copy(IEscrow.Terms memory t) private pure returns (IEscrow.Terms memory) {
        return abi.decode(abi.encode(t), (IEscrow.Terms));
    }

    function wrongStatus(bytes32 id, IEscrow.Status current) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IEscrowErrors.WrongStatus.selector, id, current);
    }
}
