// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";
import {Wallets} from "./Wallets.sol";

/// @notice Every act that a party signs, signed by a Safe of two owners.
contract SafeSignerTest is EscrowTestBase, Wallets {
    uint256 private constant ONE = 0x5AFE1;
    uint256 private constant TWO = 0x5AFE2;
    address private safe;

    function setUp() public override {
        super.setUp();
        safe = newSafe(ONE, TWO);
    }

    function test_a_safe_sells() public {
        seller = safe;
        usdt.mint(escrow.vaultOf(safe), AMOUNT);
        IEscrow.OrderAuthority memory a = someAuthority();
        status(escrow.open(someTerms(), a, bySafe(authorityHash(a))), IEscrow.Status.OPEN);
    }

    function test_half_of_a_safe_does_not_sell() public {
        seller = safe;
        usdt.mint(escrow.vaultOf(safe), AMOUNT);
        IEscrow.OrderAuthority memory a = someAuthority();
        bytes memory whole = bySafe(authorityHash(a));
        bytes memory half = new bytes(65);
        for (uint256 i = 0; i < 65; i++) half[i] = whole[i];
        vm.expectRevert(badSignature(safe));
        escrow.open(someTerms(), a, half);
    }

    function test_a_safe_buys_and_marks_paid() public {
        buyer = safe;
        IEscrow.Terms memory t = someTerms();
        bytes32 id = open(t);
        escrow.markPaid(t, bySafe(actHash("MarkPaid", t)));
        status(id, IEscrow.Status.PAID);
    }

    function test_a_safe_cancels() public {
        buyer = safe;
        IEscrow.Terms memory t = someTerms();
        bytes32 id = open(t);
        escrow.cancel(t, bySafe(actHash("Cancel", t)));
        status(id, IEscrow.Status.CLOSED);
    }

    function test_a_safe_arbitrates_and_earns_its_fee() public {
        arbiter = safe;
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = IEscrow.Decision(t.amount, true, uint40(NOW + 1 days));
        escrow.settle(t, d, "", signSettle(BUYER_KEY, t, d), bySafe(settleHash(t, d)));
        eq(usdt.balanceOf(safe), ARBITER_FEE, "safe");
    }

    function test_a_safes_signature_for_one_share_is_not_for_another() public {
        arbiter = safe;
        IEscrow.Terms memory t = openPaid();
        IEscrow.Decision memory d = decision(t.amount);
        IEscrow.Decision memory other = decision(0);
        bytes memory signature = bySafe(settleHash(t, other));
        bytes memory buyers = signSettle(BUYER_KEY, t, d);
        vm.expectRevert(badSignature(safe));
        escrow.settle(t, d, "", buyers, signature);
    }

    function bySafe(bytes32 structHash) private view returns (bytes memory) {
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", escrow.domainSeparator(), structHash));
        return signAsSafe(safe, ONE, TWO, digest);
    }
}
