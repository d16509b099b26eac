// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {IEscrowErrors} from "../src/interfaces/IEscrowErrors.sol";
import {IEscrowEvents} from "../src/interfaces/IEscrowEvents.sol";
import {ContractWallet, HostileToken, StandardToken} from "./tokens/Tokens.sol";
import {EscrowTestBase} from "./EscrowTestBase.sol";

contract EscrowOpenTest is EscrowTestBase {
    function test_open_takes_exactly_the_amount_from_the_sellers_vault() public {
        bytes32 id = open(someTerms());
        status(id, IEscrow.Status.OPEN);
        eq(usdt.balanceOf(address(escrow)), AMOUNT, "escrow");
        eq(usdt.balanceOf(sellerVault), 9 * AMOUNT, "vault");
        eq(escrow.usedOf(authorityHash(someAuthority())), AMOUNT, "used");
    }

    function test_open_emits_the_terms_that_every_later_call_needs() public {
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes memory sig = signAuthority(a);
        bytes32 id = escrow.tradeIdOf(t);
        escrow.deployVault(seller);
        vm.expectEmit(true, true, true, true, address(escrow));
        emit IEscrowEvents.Opened(id, seller, buyer, authorityHash(a), t);
        escrow.open(t, a, sig);
    }

    function test_open_by_the_seller_needs_no_signature() public {
        vm.prank(seller);
        status(escrow.open(someTerms(), someAuthority(), ""), IEscrow.Status.OPEN);
    }

    function test_open_works_with_a_token_that_returns_true() public {
        StandardToken token = new StandardToken(0);
        token.mint(sellerVault, AMOUNT);
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        t.token = a.token = address(token);
        openWith(t, a);
        eq(token.balanceOf(address(escrow)), AMOUNT, "escrow");
    }

    function test_open_refuses_a_token_that_takes_a_fee() public {
        StandardToken token = new StandardToken(1);
        token.mint(sellerVault, AMOUNT);
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        t.token = a.token = address(token);
        bytes memory sig = signAuthority(a);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.InexactTransfer.selector, AMOUNT, AMOUNT - 1));
        escrow.open(t, a, sig);
    }

    function test_open_accepts_a_contract_wallet_as_seller() public {
        seller = address(new ContractWallet(vm.addr(SELLER_KEY)));
        usdt.mint(escrow.vaultOf(seller), AMOUNT);
        status(open(someTerms()), IEscrow.Status.OPEN);
    }

    function test_open_accepts_the_key_of_an_account_with_delegated_code() public {
        vm.etch(seller, hex"60006000fd");
        status(open(someTerms()), IEscrow.Status.OPEN);
    }

    function test_open_twice_is_refused() public {
        IEscrow.Terms memory t = someTerms();
        bytes32 id = open(t);
        refusesOpening(t, someAuthority(), abi.encodeWithSelector(IEscrowErrors.AlreadyUsed.selector, id));
    }

    function test_a_closed_id_never_reopens() public {
        IEscrow.Terms memory t = someTerms();
        bytes32 id = open(t);
        settleBySellerAndBuyer(t, AMOUNT);
        refusesOpening(t, someAuthority(), abi.encodeWithSelector(IEscrowErrors.AlreadyUsed.selector, id));
    }

    function test_open_with_an_empty_vault_changes_nothing() public {
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        t.amount = a.maxPerTrade = a.maxTotal = 11 * AMOUNT;
        bytes memory sig = signAuthority(a);
        vm.expectRevert(abi.encodeWithSignature("BalanceTooLow(uint256,uint256)", 10 * AMOUNT, 11 * AMOUNT));
        escrow.open(t, a, sig);
        status(escrow.tradeIdOf(t), IEscrow.Status.NONE);
        eq(escrow.usedOf(authorityHash(a)), 0, "used");
    }

    function test_open_checks_each_field_of_the_terms() public {
        IEscrow.Terms memory t = someTerms();
        t.seller = address(0);
        refusesOpening(t, someAuthority(), badTerms("seller"));
        t = someTerms();
        t.buyer = seller;
        refusesOpening(t, someAuthority(), badTerms("buyer"));
        t.buyer = address(0);
        refusesOpening(t, someAuthority(), badTerms("buyer"));
        t = someTerms();
        t.amount = 0;
        refusesOpening(t, someAuthority(), badTerms("amount"));
        t = someTerms();
        t.payBy = uint40(NOW);
        refusesOpening(t, someAuthority(), badTerms("payBy"));
    }

    function test_open_wants_an_arbiter_who_is_neither_party() public {
        IEscrow.Terms memory t = someTerms();
        t.arbiter = address(0);
        refusesOpening(t, someAuthority(), badTerms("arbiter"));
        t.arbiter = seller;
        refusesOpening(t, someAuthority(), badTerms("arbiter"));
        t.arbiter = buyer;
        refusesOpening(t, someAuthority(), badTerms("arbiter"));
    }

    function test_open_wants_a_backup_arbiter_who_is_neither_party() public {
        IEscrow.Terms memory t = someTerms();
        t.backupArbiter = address(0);
        refusesOpening(t, someAuthority(), badTerms("backupArbiter"));
        t.backupArbiter = seller;
        refusesOpening(t, someAuthority(), badTerms("backupArbiter"));
        t.backupArbiter = buyer;
        refusesOpening(t, someAuthority(), badTerms("backupArbiter"));
    }

    function test_the_arbiter_may_be_their_own_backup() public {
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        t.backupArbiter = a.backupArbiter = arbiter;
        status(openWith(t, a), IEscrow.Status.OPEN);
    }

    function test_open_wants_its_dates_in_order_and_within_reach() public {
        IEscrow.Terms memory t = someTerms();
        t.resolveBy = t.payBy;
        refusesOpening(t, someAuthority(), badTerms("resolveBy"));
        t = someTerms();
        t.sunset = t.resolveBy;
        refusesOpening(t, someAuthority(), badTerms("sunset"));
        t.sunset = uint40(NOW + 730 days + 1);
        refusesOpening(t, someAuthority(), badTerms("sunset"));
        IEscrow.OrderAuthority memory a = someAuthority();
        t.sunset = uint40(NOW + 730 days);
        a.sunsetWindow = uint32(t.sunset - t.payBy);
        status(openWith(t, a), IEscrow.Status.OPEN);
    }

    function test_a_paid_trade_never_falls_back_to_the_seller_by_default() public {
        IEscrow.Terms memory t = someTerms();
        t.sunsetBuyerBps = 4_999;
        refusesOpening(t, someAuthority(), badTerms("sunsetBuyerBps"));
        t.sunsetBuyerBps = 10_001;
        refusesOpening(t, someAuthority(), badTerms("sunsetBuyerBps"));
        IEscrow.OrderAuthority memory a = someAuthority();
        t.sunsetBuyerBps = a.sunsetBuyerBps = 10_000;
        status(openWith(t, a), IEscrow.Status.OPEN);
        t.salt = bytes32(uint256(2));
        t.sunsetBuyerBps = a.sunsetBuyerBps = 5_000;
        status(openWith(t, a), IEscrow.Status.OPEN);
    }

    function test_an_arbiters_fee_above_the_cap_is_refused_whatever_was_signed() public {
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        a.maxArbiterFeeBps = 10_000;
        (t.amount, t.fee, t.arbiterFee) = (1_000_000, 0, 20_001);
        refusesOpening(t, a, badTerms("arbiterFee"));
        t.arbiterFee = 20_000;
        openWith(t, a);
    }

    function test_words_out_of_range_open_nothing() public {
        IEscrow.Terms memory t = someTerms();
        t.fee = 0;
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes memory data = abi.encodeCall(escrow.open, (t, a, signAuthority(a)));
        uint8[13] memory bits = [160, 160, 160, 160, 160, 128, 128, 128, 160, 40, 40, 40, 16];
        for (uint256 i = 0; i < bits.length; i++) {
            uint256 place = 4 + 32 * (i + 2);
            uint256 word;
            assembly {
                word := mload(add(data, place))
                mstore(add(data, place), or(word, shl(mload(add(bits, mul(32, i))), 1)))
            }
            (bool done,) = address(escrow).call(data);
            eq(done ? 1 : 0, 0, "a word out of range");
            assembly {
                mstore(add(data, place), word)
            }
        }
        (bool good,) = address(escrow).call(data);
        eq(good ? 1 : 0, 1, "clean words");
    }

    function test_fee_above_the_cap_is_refused_whatever_was_signed() public {
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        a.maxFeeBps = 10_000;
        t.arbiterFee = 0;
        t.amount = 1_000_000;
        t.fee = 50_001;
        refusesOpening(t, a, badTerms("fee"));
        t.fee = 50_000;
        openWith(t, a);
    }

    function test_fee_needs_a_payee() public {
        IEscrow.Terms memory t = someTerms();
        t.feeTo = address(0);
        refusesOpening(t, someAuthority(), badTerms("feeTo"));
        t.feeTo = address(escrow);
        refusesOpening(t, someAuthority(), badTerms("feeTo"));
    }

    function test_open_stays_inside_each_limit_of_the_authority() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        a.owner = stranger;
        refusesOpening(someTerms(), a, outside("owner"));
        a = someAuthority();
        a.token = address(1);
        refusesOpening(someTerms(), a, outside("token"));
        a = someAuthority();
        a.arbiter = stranger;
        refusesOpening(someTerms(), a, outside("arbiter"));
        a = someAuthority();
        a.feeTo = stranger;
        refusesOpening(someTerms(), a, outside("feeTo"));
        a = someAuthority();
        a.backupArbiter = stranger;
        refusesOpening(someTerms(), a, outside("backupArbiter"));
        a = someAuthority();
        a.minPerTrade = AMOUNT + 1;
        refusesOpening(someTerms(), a, outside("minPerTrade"));
        a = someAuthority();
        a.maxArbiterFeeBps = 99;
        refusesOpening(someTerms(), a, outside("maxArbiterFeeBps"));
        a = someAuthority();
        a.resolveWindow -= 1;
        refusesOpening(someTerms(), a, outside("resolveWindow"));
        a.resolveWindow += 2;
        refusesOpening(someTerms(), a, outside("resolveWindow"));
        a = someAuthority();
        a.sunsetWindow += 1;
        refusesOpening(someTerms(), a, outside("sunsetWindow"));
        a.sunsetWindow -= 2;
        refusesOpening(someTerms(), a, outside("sunsetWindow"));
        a = someAuthority();
        a.sunsetBuyerBps = 5_999;
        refusesOpening(someTerms(), a, outside("sunsetBuyerBps"));
        a.sunsetBuyerBps = 6_001;
        refusesOpening(someTerms(), a, outside("sunsetBuyerBps"));
        a = someAuthority();
        a.maxPerTrade = AMOUNT - 1;
        refusesOpening(someTerms(), a, outside("maxPerTrade"));
        a = someAuthority();
        a.maxFeeBps = 100;
        refusesOpening(someTerms(), a, outside("maxFeeBps"));
        a = someAuthority();
        a.payWindow = 1 hours - 1;
        refusesOpening(someTerms(), a, outside("payWindow"));
    }

    function test_only_the_named_opener_may_open() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        a.opener = platform;
        refusesOpening(someTerms(), a, outside("opener"));
        bytes memory sig = signAuthority(a);
        vm.prank(platform);
        status(escrow.open(someTerms(), a, sig), IEscrow.Status.OPEN);
    }

    function test_authority_past_its_deadline_is_refused() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        a.deadline = uint40(NOW - 1);
        refusesOpening(someTerms(), a, abi.encodeWithSelector(IEscrowErrors.DeadlinePassed.selector, NOW - 1));
    }

    function test_authority_covers_several_trades_up_to_its_total() public {
        IEscrow.Terms memory t = someTerms();
        for (uint256 i = 1; i <= 3; i++) {
            t.salt = bytes32(i);
            open(t);
        }
        t.salt = bytes32(uint256(4));
        refusesOpening(t, someAuthority(), outside("maxTotal"));
        eq(escrow.usedOf(authorityHash(someAuthority())), 3 * AMOUNT, "used");
    }

    function test_changed_authority_does_not_match_its_signature() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes memory sig = signAuthority(a);
        a.maxTotal += 1;
        vm.expectRevert(badSignature(seller));
        escrow.open(someTerms(), a, sig);
    }

    function test_authority_signed_by_another_key_is_refused() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes memory sig = sign(STRANGER_KEY, authorityHash(a));
        vm.expectRevert(badSignature(seller));
        escrow.open(someTerms(), a, sig);
    }

    function test_authority_for_another_chain_or_contract_is_refused() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes memory sig =
            signIn(domain("OTC Portal Escrow", address(escrow), 1), SELLER_KEY, authorityHash(a));
        vm.expectRevert(badSignature(seller));
        escrow.open(someTerms(), a, sig);
        sig = signIn(domain("OTC Portal Escrow", address(this), block.chainid), SELLER_KEY, authorityHash(a));
        vm.expectRevert(badSignature(seller));
        escrow.open(someTerms(), a, sig);
    }

    function test_signature_dies_when_the_chain_splits() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes memory sig = signAuthority(a);
        vm.chainId(99);
        vm.expectRevert(badSignature(seller));
        escrow.open(someTerms(), a, sig);
    }

    function test_high_s_and_short_signatures_are_refused() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901", domain("OTC Portal Escrow", address(escrow), block.chainid), authorityHash(a)
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(SELLER_KEY, digest);
        bytes memory high = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        vm.expectRevert(badSignature(seller));
        escrow.open(someTerms(), a, high);
        vm.expectRevert(badSignature(seller));
        escrow.open(someTerms(), a, abi.encodePacked(r, s));
        vm.expectRevert(badSignature(seller));
        escrow.open(someTerms(), a, "");
    }

    function test_revoked_authority_opens_nothing_more() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        vm.prank(seller);
        escrow.revokeAuthority(a, "");
        refusesOpening(someTerms(), a, outside("maxTotal"));
    }

    function test_authority_is_revoked_by_signature_and_by_nobody_else() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes32 structHash = revokeHash(a);
        bytes memory wrong = sign(STRANGER_KEY, structHash);
        vm.expectRevert(badSignature(seller));
        escrow.revokeAuthority(a, wrong);
        escrow.revokeAuthority(a, sign(SELLER_KEY, structHash));
        refusesOpening(someTerms(), a, outside("maxTotal"));
    }

    function test_token_cannot_reenter_while_it_is_pulled() public {
        HostileToken token = new HostileToken();
        token.mint(sellerVault, AMOUNT);
        IEscrow.Terms memory t = someTerms();
        IEscrow.OrderAuthority memory a = someAuthority();
        t.token = a.token = address(token);
        token.reenter(address(escrow), abi.encodeCall(escrow.cancel, (t, signCancel(BUYER_KEY, t))));
        status(openWith(t, a), IEscrow.Status.OPEN);
        eq(token.reentered() ? 1 : 0, 0, "reentered");
    }

    function test_ids_are_the_hashes_of_the_typed_data() public view {
        eq(uint256(escrow.tradeIdOf(someTerms())), uint256(termsHash(someTerms())), "terms");
        IEscrow.OrderAuthority memory a = someAuthority();
        eq(uint256(escrow.authorityHashOf(a)), uint256(authorityHash(a)), "authority");
        a.nonce++;
        eq(uint256(escrow.authorityHashOf(a)), uint256(authorityHash(a)), "authority of another nonce");
    }

    function testFuzz_used_total_is_the_sum_of_opened_amounts(uint128 first, uint128 second) public {
        first = uint128(1 + first % (2 * AMOUNT));
        second = uint128(1 + second % (2 * AMOUNT));
        IEscrow.Terms memory t = someTerms();
        t.fee = t.arbiterFee = 0;
        t.amount = first;
        open(t);
        t.salt = bytes32(uint256(2));
        t.amount = second;
        if (uint256(first) + second > 3 * AMOUNT) {
            refusesOpening(t, someAuthority(), outside("maxTotal"));
        } else {
            open(t);
            eq(escrow.usedOf(authorityHash(someAuthority())), uint256(first) + second, "used");
        }
    }

    function refusesOpening(IEscrow.Terms memory t, IEscrow.OrderAuthority memory a, bytes memory why) private {
        bytes memory sig = signAuthority(a);
        vm.expectRevert(why);
        escrow.open(t, a, sig);
    }
}
