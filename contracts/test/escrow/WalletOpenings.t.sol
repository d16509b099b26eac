// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TestUSDT} from "../../src/demo/TestUSDT.sol";
import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {IEscrowErrors} from "../../src/interfaces/IEscrowErrors.sol";
import {IEscrowEvents} from "../../src/interfaces/IEscrowEvents.sol";
import {FeePermitToken, Permit2Double, PermitToken} from "../tokens/PermitTokens.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";

contract WalletOpeningsTest is EscrowTestBase {
    uint256 private constant NONCE = 9;
    uint256 private constant LATER = NOW + 1 hours;

    PermitToken private token;

    function setUp() public override {
        super.setUp();
        token = new PermitToken();
        token.mint(seller, 3 * AMOUNT);
        usdt.mint(seller, 3 * AMOUNT);
        vm.etch(address(escrow.PERMIT2()), address(new Permit2Double()).code);
    }

    // ── allowance ──────────────────────────────────────────────────────────────────────────────

    function test_the_seller_opens_from_a_wallet_with_an_allowance() public {
        IEscrow.Terms memory t = someTerms();
        allow(AMOUNT);
        vm.expectEmit(true, true, true, true, address(escrow));
        emit IEscrowEvents.Opened(escrow.tradeIdOf(t), seller, buyer, bytes32(0), t);
        vm.prank(seller);
        status(escrow.openFromWallet(t, ""), IEscrow.Status.OPEN);
        eq(usdt.balanceOf(address(escrow)), AMOUNT, "escrow");
        eq(usdt.balanceOf(sellerVault), 10 * AMOUNT, "vault");
    }

    function test_anybody_relays_an_opening_that_the_seller_signed() public {
        IEscrow.Terms memory t = someTerms();
        allow(AMOUNT);
        bytes memory sig = sign(SELLER_KEY, actHash("Open", t));
        vm.prank(stranger);
        status(escrow.openFromWallet(t, sig), IEscrow.Status.OPEN);
    }

    function test_an_allowance_that_is_too_small_opens_nothing() public {
        IEscrow.Terms memory t = someTerms();
        allow(AMOUNT - 1);
        vm.prank(seller);
        vm.expectRevert(abi.encodeWithSelector(TestUSDT.AllowanceTooLow.selector, AMOUNT - 1, AMOUNT));
        escrow.openFromWallet(t, "");
        status(escrow.tradeIdOf(t), IEscrow.Status.NONE);
    }

    function test_an_allowance_alone_opens_nothing() public {
        IEscrow.Terms memory t = someTerms();
        allow(type(uint256).max);
        bytes memory wrong = sign(BUYER_KEY, actHash("Open", t));
        vm.expectRevert(badSignature(seller));
        escrow.openFromWallet(t, wrong);
        vm.expectRevert(badSignature(seller));
        escrow.openFromWallet(t, "");
        bytes memory sig = sign(SELLER_KEY, actHash("Open", t));
        t.buyer = stranger;
        vm.expectRevert(badSignature(seller));
        escrow.openFromWallet(t, sig);
    }

    function test_a_signed_opening_serves_once() public {
        IEscrow.Terms memory t = someTerms();
        allow(type(uint256).max);
        bytes memory sig = sign(SELLER_KEY, actHash("Open", t));
        bytes32 id = escrow.openFromWallet(t, sig);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.AlreadyUsed.selector, id));
        escrow.openFromWallet(t, sig);
        settleBySellerAndBuyer(t, 0);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.AlreadyUsed.selector, id));
        escrow.openFromWallet(t, sig);
    }

    function test_an_opening_from_a_wallet_obeys_the_same_caps() public {
        IEscrow.Terms memory t = someTerms();
        t.sunsetBuyerBps = 4_999;
        vm.prank(seller);
        vm.expectRevert(badTerms("sunsetBuyerBps"));
        escrow.openFromWallet(t, "");
    }

    function test_what_returns_goes_to_the_sellers_vault() public {
        IEscrow.Terms memory t = someTerms();
        allow(AMOUNT);
        vm.prank(seller);
        escrow.openFromWallet(t, "");
        vm.prank(buyer);
        escrow.cancel(t, "");
        eq(usdt.balanceOf(sellerVault), 11 * AMOUNT, "vault");
    }

    function test_coins_of_the_chain_are_not_sent_along_with_a_token() public {
        IEscrow.Terms memory t = someTerms();
        allow(AMOUNT);
        vm.deal(seller, 1);
        vm.prank(seller);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.WrongValue.selector, 0, 1));
        escrow.openFromWallet{value: 1}(t, "");
    }

    // ── ERC-2612 ───────────────────────────────────────────────────────────────────────────────

    function test_a_permit_opens_without_the_seller_sending_anything() public {
        IEscrow.Terms memory t = inToken();
        bytes memory sig = sign(SELLER_KEY, actHash("Open", t));
        (uint8 v, bytes32 r, bytes32 s) = permitOf(AMOUNT);
        vm.prank(stranger);
        status(escrow.openWithPermit(t, sig, LATER, v, r, s), IEscrow.Status.OPEN);
        eq(token.balanceOf(address(escrow)), AMOUNT, "escrow");
    }

    function test_a_permit_that_somebody_used_first_opens_all_the_same() public {
        IEscrow.Terms memory t = inToken();
        bytes memory sig = sign(SELLER_KEY, actHash("Open", t));
        (uint8 v, bytes32 r, bytes32 s) = permitOf(AMOUNT);
        token.permit(seller, address(escrow), AMOUNT, LATER, v, r, s);
        status(escrow.openWithPermit(t, sig, LATER, v, r, s), IEscrow.Status.OPEN);
    }

    function test_a_permit_without_the_sellers_word_on_the_terms_opens_nothing() public {
        IEscrow.Terms memory t = inToken();
        (uint8 v, bytes32 r, bytes32 s) = permitOf(AMOUNT);
        vm.expectRevert(badSignature(seller));
        escrow.openWithPermit(t, "", LATER, v, r, s);
    }

    function test_a_permit_of_too_little_opens_nothing() public {
        IEscrow.Terms memory t = inToken();
        bytes memory sig = sign(SELLER_KEY, actHash("Open", t));
        (uint8 v, bytes32 r, bytes32 s) = permitOf(AMOUNT - 1);
        vm.expectRevert(
            abi.encodeWithSignature(
                "ERC20InsufficientAllowance(address,uint256,uint256)", address(escrow), 0, AMOUNT
            )
        );
        escrow.openWithPermit(t, sig, LATER, v, r, s);
    }

    // ── tokens that keep a part ────────────────────────────────────────────────────────────────

    function test_a_token_that_keeps_a_fee_opens_nothing_from_a_wallet() public {
        IEscrow.Terms memory t = inFeeToken();
        vm.prank(seller);
        token.approve(address(escrow), AMOUNT);
        vm.prank(seller);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.InexactTransfer.selector, AMOUNT, AMOUNT - 1));
        escrow.openFromWallet(t, "");
        status(escrow.tradeIdOf(t), IEscrow.Status.NONE);
    }

    function test_a_token_that_keeps_a_fee_opens_nothing_by_permit2() public {
        IEscrow.Terms memory t = inFeeToken();
        bytes memory sig = permit2(t, address(escrow));
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.InexactTransfer.selector, AMOUNT, AMOUNT - 1));
        escrow.openWithPermit2(t, NONCE, LATER, sig);
        status(escrow.tradeIdOf(t), IEscrow.Status.NONE);
    }

    // ── Permit2 ────────────────────────────────────────────────────────────────────────────────

    function test_one_permit2_signature_opens() public {
        IEscrow.Terms memory t = inToken();
        bytes memory sig = permit2(t, address(escrow));
        vm.prank(stranger);
        status(escrow.openWithPermit2(t, NONCE, LATER, sig), IEscrow.Status.OPEN);
        eq(token.balanceOf(address(escrow)), AMOUNT, "escrow");
    }

    function test_a_permit2_signature_is_for_these_terms_only() public {
        IEscrow.Terms memory t = inToken();
        bytes memory sig = permit2(t, address(escrow));
        t.buyer = stranger;
        vm.expectRevert(abi.encodeWithSelector(Permit2Double.Refused.selector, "signature"));
        escrow.openWithPermit2(t, NONCE, LATER, sig);
    }

    function test_a_permit2_signature_is_for_this_escrow_only() public {
        IEscrow.Terms memory t = inToken();
        bytes memory sig = permit2(t, stranger);
        vm.expectRevert(abi.encodeWithSelector(Permit2Double.Refused.selector, "signature"));
        escrow.openWithPermit2(t, NONCE, LATER, sig);
    }

    function test_a_permit2_signature_serves_once() public {
        IEscrow.Terms memory t = inToken();
        bytes memory sig = permit2(t, address(escrow));
        bytes32 id = escrow.openWithPermit2(t, NONCE, LATER, sig);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.AlreadyUsed.selector, id));
        escrow.openWithPermit2(t, NONCE, LATER, sig);
    }

    function test_without_permit2_on_the_chain_nothing_opens() public {
        IEscrow.Terms memory t = inToken();
        bytes memory sig = permit2(t, address(escrow));
        vm.etch(address(escrow.PERMIT2()), "");
        vm.expectRevert();
        escrow.openWithPermit2(t, NONCE, LATER, sig);
    }

    function allow(uint256 value) private {
        vm.prank(seller);
        usdt.approve(address(escrow), value);
    }

    function inFeeToken() private returns (IEscrow.Terms memory) {
        token = new FeePermitToken();
        token.mint(seller, AMOUNT);
        return inToken();
    }

    function inToken() private view returns (IEscrow.Terms memory t) {
        t = someTerms();
        t.token = address(token);
    }

    function permitOf(uint256 value) private view returns (uint8, bytes32, bytes32) {
        bytes32 kind =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 hash = keccak256(abi.encode(kind, seller, address(escrow), value, 0, LATER));
        return vm.sign(SELLER_KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), hash)));
    }

    /// @dev Allows Permit2 once and signs as a wallet would, from the full type string.
    function permit2(IEscrow.Terms memory t, address spender) private returns (bytes memory) {
        address spending = address(escrow.PERMIT2());
        vm.prank(seller);
        token.approve(spending, type(uint256).max);
        bytes32 permissions = keccak256(
            abi.encode(keccak256("TokenPermissions(address token,uint256 amount)"), t.token, uint256(t.amount))
        );
        bytes32 kind = keccak256(
            abi.encodePacked(
                "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Terms witness)",
                TERMS_TYPE,
                "TokenPermissions(address token,uint256 amount)"
            )
        );
        bytes32 hash = keccak256(abi.encode(kind, permissions, spender, NONCE, LATER, termsHash(t)));
        bytes32 separator = Permit2Double(address(escrow.PERMIT2())).domainSeparator();
        return signIn(separator, SELLER_KEY, hash);
    }
}
