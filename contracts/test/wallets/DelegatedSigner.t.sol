// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";
import {ContractWallet} from "../tokens/Tokens.sol";
import {Wallets} from "./Wallets.sol";

/// @notice Keys whose accounts run other code (EIP-7702): the key still signs, and so does the code.
contract DelegatedSignerTest is EscrowTestBase, Wallets {
    uint256 private constant SESSION_KEY = 0x5E55;

    function setUp() public override {
        super.setUp();
        vm.setEvmVersion("prague");
        address wallet = address(new ContractWallet(vm.addr(SESSION_KEY)));
        delegate(seller, wallet);
        delegate(buyer, wallet);
        delegate(arbiter, wallet);
    }

    function test_the_key_of_a_delegated_account_sells() public {
        status(open(someTerms()), IEscrow.Status.OPEN);
    }

    function test_the_code_of_a_delegated_account_sells() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        status(escrow.open(someTerms(), a, sign(SESSION_KEY, authorityHash(a))), IEscrow.Status.OPEN);
    }

    function test_neither_key_nor_code_is_a_refusal() public {
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes memory signature = sign(STRANGER_KEY, authorityHash(a));
        vm.expectRevert(badSignature(seller));
        escrow.open(someTerms(), a, signature);
    }

    function test_delegated_parties_settle_with_key_and_code() public {
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = decision(t.amount);
        escrow.settle(t, d, signSettle(SELLER_KEY, t, d), sign(SESSION_KEY, settleHash(t, d)), "");
        eq(usdt.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }

    function test_a_delegated_buyer_cancels_by_call() public {
        IEscrow.Terms memory t = someTerms();
        open(t);
        vm.prank(buyer);
        escrow.cancel(t, "");
        eq(usdt.balanceOf(sellerVault), 10 * AMOUNT, "seller");
    }

    function test_a_delegation_that_is_taken_back_leaves_the_key() public {
        IEscrow.Terms memory t = openPaid();
        vm.etch(buyer, "");
        IEscrow.Decision memory d = decision(t.amount);
        bytes memory byCode = sign(SESSION_KEY, settleHash(t, d));
        bytes memory bySeller = signSettle(SELLER_KEY, t, d);
        vm.expectRevert(badSignature(buyer));
        escrow.settle(t, d, bySeller, byCode, "");
        escrow.settle(t, d, bySeller, signSettle(BUYER_KEY, t, d), "");
        eq(usdt.balanceOf(buyerVault), AMOUNT - FEE, "buyer");
    }
}
