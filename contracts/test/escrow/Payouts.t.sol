// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {IEscrowErrors} from "../../src/interfaces/IEscrowErrors.sol";
import {IEscrowEvents} from "../../src/interfaces/IEscrowEvents.sol";
import {HostileToken} from "../tokens/Tokens.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";

contract PayoutsTest is EscrowTestBase {
    uint128 private constant DUE = AMOUNT - FEE;
    address private constant ELSEWHERE = address(0xE15E);

    HostileToken private token;

    /// @dev The token will not pay the buyer's vault, which has a credit for it.
    function setUp() public override {
        super.setUp();
        token = new HostileToken();
        token.mint(sellerVault, AMOUNT);
        (IEscrow.Terms memory t, IEscrow.OrderAuthority memory a) = inCoin(address(token));
        openWith(t, a);
        token.list(buyerVault, true, 0);
        settleBySellerAndBuyer(t, AMOUNT);
        eq(escrow.credit(address(token), buyerVault), DUE, "credit");
    }

    function test_a_refused_buyer_sends_the_credit_elsewhere_by_signature() public {
        IEscrow.Redirect memory r = order();
        vm.expectEmit(true, true, true, true, address(escrow));
        emit IEscrowEvents.CreditRedirected(address(token), buyerVault, ELSEWHERE, DUE);
        escrow.redirectCredit(r, buyer, sign(BUYER_KEY, redirectHash(r)));
        eq(token.balanceOf(ELSEWHERE), DUE, "elsewhere");
        eq(escrow.credit(address(token), buyerVault), 0, "credit");
    }

    function test_or_by_a_call_of_their_own() public {
        vm.prank(buyer);
        escrow.redirectCredit(order(), buyer, "");
        eq(token.balanceOf(ELSEWHERE), DUE, "elsewhere");
    }

    function test_nobody_else_redirects_a_credit() public {
        IEscrow.Redirect memory r = order();
        bytes memory sig = sign(STRANGER_KEY, redirectHash(r));
        vm.expectRevert(badSignature(buyer));
        escrow.redirectCredit(r, buyer, sig);
        vm.prank(stranger);
        vm.expectRevert(badTerms("creditor"));
        escrow.redirectCredit(r, stranger, "");
        vm.prank(platform);
        vm.expectRevert(badSignature(buyer));
        escrow.redirectCredit(r, buyer, "");
    }

    function test_a_token_whose_code_is_gone_pays_nobody_and_the_claim_stays() public {
        token.list(buyerVault, false, 0);
        vm.etch(address(token), "");
        refuses(order(), abi.encodeWithSelector(IEscrowErrors.TransferRefused.selector, address(token), ELSEWHERE));
        eq(escrow.credit(address(token), buyerVault), DUE, "credit");
    }

    function test_a_redirection_is_followed_once() public {
        IEscrow.Redirect memory r = order();
        r.amount = DUE / 2;
        bytes memory sig = sign(BUYER_KEY, redirectHash(r));
        escrow.redirectCredit(r, buyer, sig);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.NonceUsed.selector, r.nonce));
        escrow.redirectCredit(r, buyer, sig);
        eq(escrow.credit(address(token), buyerVault), DUE - DUE / 2, "rest");
    }

    function test_a_redirection_moves_at_most_the_credit_and_not_nothing() public {
        IEscrow.Redirect memory r = order();
        r.amount = DUE + 1;
        refuses(r, abi.encodeWithSelector(IEscrowErrors.NoCredit.selector));
        r.amount = 0;
        refuses(r, abi.encodeWithSelector(IEscrowErrors.NoCredit.selector));
    }

    function test_a_redirection_needs_a_place_outside_and_time() public {
        IEscrow.Redirect memory r = order();
        r.to = address(0);
        refuses(r, badTerms("to"));
        r.to = address(escrow);
        refuses(r, badTerms("to"));
        r = order();
        r.deadline = uint40(NOW - 1);
        refuses(r, abi.encodeWithSelector(IEscrowErrors.DeadlinePassed.selector, NOW - 1));
    }

    function test_a_redirection_to_another_refused_payee_keeps_the_credit() public {
        IEscrow.Redirect memory r = order();
        token.list(ELSEWHERE, true, 0);
        refuses(r, abi.encodeWithSelector(IEscrowErrors.TransferRefused.selector, address(token), ELSEWHERE));
        eq(escrow.credit(address(token), buyerVault), DUE, "credit");
    }

    function test_a_redirection_for_another_chain_is_refused() public {
        IEscrow.Redirect memory r = order();
        bytes memory sig = signIn(domain("OTC Portal Escrow", address(escrow), 1), BUYER_KEY, redirectHash(r));
        vm.expectRevert(badSignature(buyer));
        escrow.redirectCredit(r, buyer, sig);
    }

    function test_an_account_redirects_its_own_credit() public {
        (IEscrow.Terms memory t, IEscrow.OrderAuthority memory a) = inCoin(address(token));
        t.salt = bytes32(uint256(2));
        token.mint(sellerVault, AMOUNT);
        openWith(t, a);
        token.list(feeTo, true, 0);
        settleBySellerAndBuyer(t, AMOUNT);
        IEscrow.Redirect memory r = order();
        (r.creditor, r.amount) = (feeTo, FEE);
        vm.prank(feeTo);
        escrow.redirectCredit(r, feeTo, "");
        eq(token.balanceOf(ELSEWHERE), FEE, "elsewhere");
    }

    function test_the_token_cannot_reenter_a_redirection() public {
        IEscrow.Redirect memory r = order();
        token.reenter(address(escrow), abi.encodeCall(escrow.withdrawCredit, (address(token), buyerVault)));
        vm.prank(buyer);
        escrow.redirectCredit(r, buyer, "");
        eq(token.reentered() ? 1 : 0, 0, "reentered");
    }

    function test_a_token_too_dear_for_the_push_is_paid_when_the_payee_pays_the_gas() public {
        token.list(buyerVault, true, 4);
        escrow.withdrawCredit{gas: 3_000_000}(address(token), buyerVault);
        eq(token.balanceOf(buyerVault), DUE, "buyer");
    }

    function order() private view returns (IEscrow.Redirect memory) {
        return IEscrow.Redirect({
            token: address(token),
            creditor: buyerVault,
            to: ELSEWHERE,
            amount: DUE,
            nonce: 5,
            deadline: uint40(NOW + 1 days)
        });
    }

    function refuses(IEscrow.Redirect memory r, bytes memory why) private {
        bytes memory sig = sign(BUYER_KEY, redirectHash(r));
        vm.expectRevert(why);
        escrow.redirectCredit(r, buyer, sig);
    }
}
