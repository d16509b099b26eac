// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {IEscrowErrors} from "../../src/interfaces/IEscrowErrors.sol";
import {IEscrowEvents} from "../../src/interfaces/IEscrowEvents.sol";
import {ContractWallet, HostileToken} from "../tokens/Tokens.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";

/// @notice The compact batch: full releases by the keys of seller and buyer, common terms stated once.
contract ReleasesTest is EscrowTestBase {
    uint256 private constant OTHER_BUYER_KEY = 0xB0B2;

    function test_releases_pay_each_payee_once() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = trades(token, 5);
        eq(release(all, false), 5, "settled");
        eq(token.balanceOf(buyerVault), 5 * uint256(AMOUNT - FEE), "buyer");
        eq(token.balanceOf(feeTo), 5 * uint256(FEE), "fee");
        eq(token.balanceOf(address(escrow)), 0, "escrow");
        eq(token.transfers(), 5 + 2, "five openings, two payouts");
    }

    function test_each_trade_has_its_own_people_amounts_and_time() public {
        IEscrow.Settlement[] memory all = new IEscrow.Settlement[](3);
        all[0] = opened(1, BUYER_KEY, AMOUNT, FEE, 2 hours);
        all[1] = opened(2, OTHER_BUYER_KEY, AMOUNT / 3, FEE / 4, 1 hours);
        all[2] = opened(3, BUYER_KEY, AMOUNT / 2, 0, 90 minutes);
        eq(release(all, false), 3, "settled");
        eq(usdt.balanceOf(buyerVault), AMOUNT - FEE + AMOUNT / 2, "buyer");
        eq(usdt.balanceOf(escrow.vaultOf(vm.addr(OTHER_BUYER_KEY))), AMOUNT / 3 - FEE / 4, "other buyer");
        eq(usdt.balanceOf(feeTo), FEE + FEE / 4, "fees");
        eq(usdt.balanceOf(address(escrow)), 0, "escrow");
        for (uint256 i = 0; i < 3; i++) status(escrow.tradeIdOf(all[i].terms), IEscrow.Status.CLOSED);
    }

    function testFuzz_a_release_pays_what_a_settlement_would(uint128 amount, uint128 fee, uint40 window) public {
        amount = uint128(1 + amount % (2 * AMOUNT));
        fee = uint128(fee % (uint256(amount) * 200 / 10_000 + 1));
        IEscrow.Settlement[] memory one = new IEscrow.Settlement[](1);
        one[0] = opened(1, BUYER_KEY, amount, fee, uint40(1 + window % 2 hours));
        IEscrow.Terms memory common = someTerms();
        common.arbiterFee = 0;
        uint40 deadline = one[0].decision.deadline + common.payBy - one[0].terms.payBy;
        bytes32 id = escrow.tradeIdOf(one[0].terms);
        IEscrow.Release[] memory releases = asReleases(one);
        vm.expectEmit(true, true, true, true, address(escrow));
        emit IEscrowEvents.Settled(id, amount, fee, 0);
        escrow.releaseBatch(common, deadline, releases, false);
        eq(usdt.balanceOf(buyerVault), amount - fee, "buyer");
        eq(usdt.balanceOf(feeTo), fee, "fee");
        eq(usdt.balanceOf(address(escrow)), 0, "escrow");
    }

    function test_a_paid_trade_is_released_too() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 1);
        markPaid(all[0].terms);
        eq(release(all, false), 1, "settled");
    }

    function test_a_release_needs_both_signatures() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 1);
        bytes memory good = all[0].sellerSig;
        all[0].sellerSig = all[0].buyerSig;
        refuses(all, badSignature(seller));
        (all[0].sellerSig, all[0].buyerSig) = (good, good);
        refuses(all, badSignature(buyer));
        status(escrow.tradeIdOf(all[0].terms), IEscrow.Status.OPEN);
    }

    function test_who_calls_saves_no_signature() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 1);
        all[0].sellerSig = all[0].buyerSig;
        IEscrow.Release[] memory one = asReleases(all);
        vm.prank(seller);
        vm.expectRevert(badSignature(seller));
        escrow.releaseBatch(all[0].terms, all[0].decision.deadline, one, false);
    }

    function test_the_arbiter_stands_in_for_nobody() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 1);
        all[0].sellerSig = signSettle(ARBITER_KEY, all[0].terms, all[0].decision);
        refuses(all, badSignature(seller));
    }

    function test_signatures_of_a_part_release_nothing() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 1);
        IEscrow.Settlement memory part = bySellerAndBuyer(all[0].terms, decision(AMOUNT - 1));
        (all[0].sellerSig, all[0].buyerSig) = (part.sellerSig, part.buyerSig);
        refuses(all, badSignature(seller));
    }

    function test_signatures_that_pay_an_arbiter_release_nothing() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 1);
        IEscrow.Decision memory d = fullRelease(all[0].terms);
        d.payArbiter = true;
        IEscrow.Settlement memory paying = bySellerAndBuyer(all[0].terms, d);
        (all[0].sellerSig, all[0].buyerSig) = (paying.sellerSig, paying.buyerSig);
        refuses(all, badSignature(seller));
    }

    function test_a_release_counts_until_its_deadline_and_not_after() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 2);
        IEscrow.Settlement[] memory one = single(all[0]);
        vm.warp(all[0].decision.deadline);
        eq(release(one, false), 1, "last second");
        vm.warp(uint256(all[1].decision.deadline) + 1);
        one[0] = all[1];
        refuses(one, abi.encodeWithSelector(IEscrowErrors.DeadlinePassed.selector, all[1].decision.deadline));
    }

    function test_another_deadline_than_was_signed_releases_nothing() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 1);
        IEscrow.Release[] memory one = asReleases(all);
        vm.expectRevert(badSignature(seller));
        escrow.releaseBatch(all[0].terms, all[0].decision.deadline + 1, one, false);
    }

    function test_terms_that_nobody_opened_release_nothing() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 1);
        IEscrow.Release[] memory one = asReleases(all);
        IEscrow.Terms memory common = copy(all[0].terms);
        common.arbiter = stranger;
        bytes memory why = wrongStatus(escrow.tradeIdOf(common), IEscrow.Status.NONE);
        vm.expectRevert(why);
        escrow.releaseBatch(common, all[0].decision.deadline, one, false);
    }

    function test_a_trade_twice_is_released_once() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = trades(token, 2);
        all[1] = all[0];
        refuses(all, wrongStatus(escrow.tradeIdOf(all[0].terms), IEscrow.Status.CLOSED));
        eq(release(all, true), 1, "settled");
        eq(token.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }

    function test_what_can_not_be_released_is_named_and_passed_over() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = trades(token, 3);
        all[1].sellerSig = all[1].buyerSig;
        bytes32 id = escrow.tradeIdOf(all[1].terms);
        vm.expectEmit(true, true, true, true, address(escrow));
        emit IEscrowEvents.Skipped(id, badSignature(seller));
        eq(release(all, true), 2, "settled");
        eq(token.balanceOf(buyerVault), 2 * uint256(AMOUNT - FEE), "buyer");
        eq(token.balanceOf(address(escrow)), AMOUNT, "escrow");
        status(id, IEscrow.Status.OPEN);
    }

    /// @dev The other s of a signature is too large for the 255 bits there are, or above half the order.
    function test_the_second_value_of_s_is_refused() public {
        IEscrow.Settlement[] memory all = trades(new HostileToken(), 1);
        IEscrow.Release[] memory one = asReleases(all);
        (uint256 s, uint256 parity) = (uint256(one[0].sellerVs) & (2 ** 255 - 1), uint256(one[0].sellerVs) >> 255);
        one[0].sellerVs = bytes32(((CURVE_ORDER - s) & (2 ** 255 - 1)) | (1 - parity) << 255);
        vm.expectRevert(badSignature(seller));
        escrow.releaseBatch(all[0].terms, all[0].decision.deadline, one, false);
    }

    function test_a_contract_wallet_is_for_the_other_batch() public {
        IEscrow.Terms memory t = someTerms();
        t.buyer = address(new ContractWallet(buyer));
        open(t);
        IEscrow.Settlement[] memory all = single(bySellerAndBuyer(t, fullRelease(t)));
        refuses(all, badSignature(t.buyer));
        eq(escrow.settleBatch(all, false), 1, "settled");
    }

    function test_no_releases_do_nothing() public {
        eq(escrow.releaseBatch(someTerms(), 0, new IEscrow.Release[](0), false), 0, "settled");
    }

    function test_a_payee_that_is_refused_gets_one_credit_and_blocks_nobody() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = trades(token, 3);
        token.list(buyerVault, true, 3);
        release(all, false);
        eq(escrow.credit(address(token), buyerVault), 3 * uint256(AMOUNT - FEE), "credit");
        eq(token.balanceOf(feeTo), 3 * uint256(FEE), "fee");
    }

    function test_a_token_cannot_reenter_releases() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = trades(token, 2);
        IEscrow.Release[] memory second = asReleases(single(all[1]));
        bytes memory again =
            abi.encodeCall(escrow.releaseBatch, (all[1].terms, all[1].decision.deadline, second, false));
        token.reenter(address(escrow), again);
        release(single(all[0]), false);
        eq(token.reentered() ? 1 : 0, 0, "reentered");
        status(escrow.tradeIdOf(all[1].terms), IEscrow.Status.OPEN);
    }

    function test_both_batches_in_one_transaction_do_not_mix() public {
        HostileToken token = new HostileToken();
        IEscrow.Settlement[] memory all = trades(token, 2);
        release(single(all[0]), false);
        escrow.settleBatch(single(all[1]), false);
        eq(token.balanceOf(buyerVault), 2 * uint256(AMOUNT - FEE), "buyer");
        eq(token.balanceOf(address(escrow)), 0, "escrow");
    }

    // ── steps ──────────────────────────────────────────────────────────────────────────────────

    function release(IEscrow.Settlement[] memory all, bool skip) private returns (uint256) {
        return escrow.releaseBatch(all[0].terms, all[0].decision.deadline, asReleases(all), skip);
    }

    function refuses(IEscrow.Settlement[] memory all, bytes memory why) private {
        IEscrow.Release[] memory releases = asReleases(all);
        vm.expectRevert(why);
        escrow.releaseBatch(all[0].terms, all[0].decision.deadline, releases, false);
    }

    function asReleases(IEscrow.Settlement[] memory all) private pure returns (IEscrow.Release[] memory releases) {
        releases = new IEscrow.Release[](all.length);
        for (uint256 i = 0; i < all.length; i++) releases[i] = asRelease(all[i]);
    }

    function single(IEscrow.Settlement memory one) private pure returns (IEscrow.Settlement[] memory all) {
        all = new IEscrow.Settlement[](1);
        all[0] = one;
    }

    /// @dev The times keep their distance from `payBy`, as an authority asks for; so does the deadline.
    function opened(uint256 number, uint256 buyerKey, uint128 amount, uint128 fee, uint40 window)
        private
        returns (IEscrow.Settlement memory)
    {
        IEscrow.Terms memory t = someTerms();
        (t.salt, t.buyer, t.amount, t.fee, t.arbiterFee) = (bytes32(number), vm.addr(buyerKey), amount, fee, 0);
        t.payBy = uint40(NOW) + window;
        (t.resolveBy, t.sunset) = (t.payBy + 30 days, t.payBy + 90 days);
        open(t);
        IEscrow.Decision memory d = IEscrow.Decision(amount, false, t.sunset);
        return IEscrow.Settlement(t, d, signSettle(SELLER_KEY, t, d), signSettle(buyerKey, t, d), "");
    }

    function trades(HostileToken token, uint256 size) private returns (IEscrow.Settlement[] memory all) {
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
