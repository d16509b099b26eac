// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../src/Vault.sol";
import {IVault} from "../src/interfaces/IVault.sol";
import {IVaultErrors} from "../src/interfaces/IVaultErrors.sol";
import {EscrowTestBase} from "./EscrowTestBase.sol";

contract VaultTest is EscrowTestBase {
    Vault internal vault;
    address internal exchange = address(0xE1);

    function setUp() public override {
        super.setUp();
        vault = Vault(payable(escrow.deployVault(seller)));
    }

    function test_the_address_is_known_before_the_code_is_there() public {
        address before = escrow.vaultOf(buyer);
        eq(before.code.length, 0, "code");
        eq(escrow.deployVault(buyer), before, "address");
        eq(Vault(payable(before)).owner(), buyer, "owner");
        eq(escrow.deployVault(buyer), before, "twice");
    }

    function test_vault_knows_its_owner_escrow_and_co_signer() public view {
        eq(address(vault), sellerVault, "address");
        eq(vault.owner(), seller, "owner");
        eq(vault.escrow(), address(escrow), "escrow");
        eq(vault.coSigner(), platform, "coSigner");
    }

    function test_only_the_escrow_pulls() public {
        vm.prank(seller);
        vm.expectRevert(IVaultErrors.OnlyEscrow.selector);
        vault.pull(address(usdt), 1);
    }

    function test_two_signatures_withdraw_at_once() public {
        IVault.Outflow memory out = someOutflow();
        vault.withdraw(out, signOut("Withdraw", SELLER_KEY, out), signOut("Withdraw", PLATFORM_KEY, out));
        eq(usdt.balanceOf(exchange), AMOUNT, "exchange");
    }

    function test_a_caller_that_is_a_signer_needs_no_signature() public {
        IVault.Outflow memory out = someOutflow();
        bytes memory sig = signOut("Withdraw", SELLER_KEY, out);
        vm.prank(platform);
        vault.withdraw(out, sig, "");
        eq(usdt.balanceOf(exchange), AMOUNT, "exchange");
    }

    function test_neither_signer_withdraws_alone() public {
        IVault.Outflow memory out = someOutflow();
        bytes memory ownerSig = signOut("Withdraw", SELLER_KEY, out);
        bytes memory coSig = signOut("Withdraw", PLATFORM_KEY, out);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.SignatureRejected.selector, platform));
        vault.withdraw(out, ownerSig, ownerSig);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.SignatureRejected.selector, seller));
        vault.withdraw(out, coSig, coSig);
    }

    function test_a_withdrawal_is_made_once() public {
        IVault.Outflow memory out = someOutflow();
        bytes memory ownerSig = signOut("Withdraw", SELLER_KEY, out);
        bytes memory coSig = signOut("Withdraw", PLATFORM_KEY, out);
        vault.withdraw(out, ownerSig, coSig);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.NonceUsed.selector, out.nonce));
        vault.withdraw(out, ownerSig, coSig);
    }

    function test_a_withdrawal_is_good_until_its_last_second() public {
        IVault.Outflow memory out = someOutflow();
        bytes memory ownerSig = signOut("Withdraw", SELLER_KEY, out);
        bytes memory coSig = signOut("Withdraw", PLATFORM_KEY, out);
        vm.warp(out.deadline);
        vault.withdraw(out, ownerSig, coSig);
        eq(usdt.balanceOf(exchange), AMOUNT, "exchange");
    }

    function test_a_withdrawal_past_its_deadline_is_refused() public {
        IVault.Outflow memory out = someOutflow();
        bytes memory ownerSig = signOut("Withdraw", SELLER_KEY, out);
        bytes memory coSig = signOut("Withdraw", PLATFORM_KEY, out);
        vm.warp(uint256(out.deadline) + 1);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.RequestExpired.selector, uint256(out.deadline)));
        vault.withdraw(out, ownerSig, coSig);
    }

    function test_one_vaults_signature_does_not_open_another() public {
        IVault.Outflow memory out = someOutflow();
        bytes32 elsewhere = domain("OTC Portal Vault", buyerVault, block.chainid);
        bytes memory ownerSig = signIn(elsewhere, SELLER_KEY, outHash("Withdraw", out));
        bytes memory coSig = signOut("Withdraw", PLATFORM_KEY, out);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.SignatureRejected.selector, seller));
        vault.withdraw(out, ownerSig, coSig);
    }

    function test_the_owner_leaves_alone_after_the_delay() public {
        IVault.Outflow memory out = requested();
        vm.warp(NOW + 2 days - 1);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.ExitNotReady.selector, NOW + 2 days));
        vault.exit(out);
        vm.warp(NOW + 2 days);
        vault.exit(out);
        eq(usdt.balanceOf(exchange), AMOUNT, "exchange");
    }

    function test_an_exit_takes_what_is_left() public {
        IVault.Outflow memory out = someOutflow();
        out.amount = type(uint256).max;
        vault.requestExit(out, signOut("Exit", SELLER_KEY, out));
        open(someTerms());
        vm.warp(NOW + 2 days);
        vault.exit(out);
        eq(usdt.balanceOf(exchange), 9 * AMOUNT, "exchange");
    }

    function test_an_exit_is_taken_once() public {
        IVault.Outflow memory out = requested();
        vm.warp(NOW + 2 days);
        vault.exit(out);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.NoSuchExit.selector, out.nonce));
        vault.exit(out);
    }

    function test_an_exit_lapses() public {
        IVault.Outflow memory out = requested();
        vm.warp(NOW + 9 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.ExitLapsed.selector, NOW + 9 days));
        vault.exit(out);
    }

    function test_the_owner_takes_an_exit_request_back() public {
        IVault.Outflow memory out = requested();
        bytes32 structHash = keccak256(abi.encode(keccak256("CancelExit(uint256 nonce)"), out.nonce));
        bytes32 here = domain("OTC Portal Vault", address(vault), block.chainid);
        bytes memory wrong = signIn(here, PLATFORM_KEY, structHash);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.SignatureRejected.selector, seller));
        vault.cancelExit(out, wrong);
        vault.cancelExit(out, signIn(here, SELLER_KEY, structHash));
        vm.warp(NOW + 2 days);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.NoSuchExit.selector, out.nonce));
        vault.exit(out);
    }

    function test_only_an_exit_that_waits_is_taken_back() public {
        IVault.Outflow memory out = someOutflow();
        bytes memory missing_ = abi.encodeWithSelector(IVaultErrors.NoSuchExit.selector, out.nonce);
        vm.prank(seller);
        vm.expectRevert(missing_);
        vault.cancelExit(out, "");
        out = requested();
        vm.prank(seller);
        vault.cancelExit(out, "");
        vm.prank(seller);
        vm.expectRevert(missing_);
        vault.cancelExit(out, "");
    }

    function test_the_platform_cannot_start_an_exit() public {
        IVault.Outflow memory out = someOutflow();
        bytes memory sig = signOut("Exit", PLATFORM_KEY, out);
        vm.prank(platform);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.SignatureRejected.selector, seller));
        vault.requestExit(out, sig);
    }

    function test_a_withdrawal_signature_does_not_start_an_exit() public {
        IVault.Outflow memory out = someOutflow();
        bytes memory sig = signOut("Withdraw", SELLER_KEY, out);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.SignatureRejected.selector, seller));
        vault.requestExit(out, sig);
    }

    function someOutflow() private view returns (IVault.Outflow memory) {
        return IVault.Outflow({
            token: address(usdt),
            to: exchange,
            amount: AMOUNT,
            nonce: 3,
            deadline: uint40(NOW + 1 hours)
        });
    }

    function requested() private returns (IVault.Outflow memory out) {
        out = someOutflow();
        vm.prank(seller);
        vault.requestExit(out, "");
    }

    function outHash(string memory kind, IVault.Outflow memory out) private pure returns (bytes32) {
        string memory fields = "(address token,address to,uint256 amount,uint256 nonce,uint40 deadline)";
        return keccak256(abi.encode(keccak256(abi.encodePacked(kind, fields)), out));
    }

    function signOut(string memory kind, uint256 key, IVault.Outflow memory out)
        private
        view
        returns (bytes memory)
    {
        return signIn(domain("OTC Portal Vault", address(vault), block.chainid), key, outHash(kind, out));
    }
}
