// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../../src/Vault.sol";
import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {IEscrowErrors} from "../../src/interfaces/IEscrowErrors.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {IVaultErrors} from "../../src/interfaces/IVaultErrors.sol";
import {CoinPayee} from "../tokens/Wallets.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";

/// @notice Trades and vaults in the chain's own coin, token zero.
contract CoinTest is EscrowTestBase {
    CoinPayee private payee;

    function setUp() public override {
        super.setUp();
        payee = new CoinPayee();
        vm.deal(address(this), 100 * uint256(AMOUNT));
        vm.deal(seller, AMOUNT);
        fund(sellerVault, 3 * uint256(AMOUNT));
    }

    function test_a_vault_takes_coins_before_and_after_its_code_is_there() public {
        escrow.deployVault(seller);
        fund(sellerVault, 5);
        eq(sellerVault.balance, 3 * uint256(AMOUNT) + 5, "vault");
    }

    function test_a_trade_in_coins_from_opening_to_release() public {
        IEscrow.Terms memory t = openCoins();
        eq(address(escrow).balance, AMOUNT, "escrow");
        eq(sellerVault.balance, 2 * uint256(AMOUNT), "vault");
        markPaid(t);
        settleBySellerAndBuyer(t, AMOUNT / 2);
        uint256 feePart = uint256(FEE) * (AMOUNT / 2) / AMOUNT;
        eq(buyerVault.balance, AMOUNT / 2 - feePart, "buyer");
        eq(feeTo.balance, feePart, "fee");
        eq(sellerVault.balance, 3 * uint256(AMOUNT) - AMOUNT / 2, "seller");
        eq(address(escrow).balance, 0, "escrow");
    }

    function test_coins_come_back_by_cancel_and_expiry() public {
        IEscrow.Terms memory t = openCoins();
        vm.prank(buyer);
        escrow.cancel(t, "");
        eq(sellerVault.balance, 3 * uint256(AMOUNT), "cancelled");
        t.salt = bytes32(uint256(2));
        (, IEscrow.OrderAuthority memory a) = inCoin(address(0));
        openWith(t, a);
        vm.warp(uint256(t.payBy) + 1);
        escrow.expire(t);
        eq(sellerVault.balance, 3 * uint256(AMOUNT), "expired");
    }

    function test_more_than_the_vault_holds_opens_nothing() public {
        (IEscrow.Terms memory t, IEscrow.OrderAuthority memory a) = inCoin(address(0));
        t.amount = a.maxPerTrade = a.maxTotal = 4 * AMOUNT;
        bytes memory sig = signAuthority(a);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.CoinRefused.selector, address(escrow)));
        escrow.open(t, a, sig);
    }

    function test_a_seller_opens_with_coins_sent_along() public {
        (IEscrow.Terms memory t,) = inCoin(address(0));
        vm.prank(seller);
        status(escrow.openFromWallet{value: AMOUNT}(t, ""), IEscrow.Status.OPEN);
        eq(address(escrow).balance, AMOUNT, "escrow");
    }

    function test_coins_sent_along_must_be_the_amount() public {
        (IEscrow.Terms memory t,) = inCoin(address(0));
        vm.prank(seller);
        vm.expectRevert(abi.encodeWithSelector(IEscrowErrors.WrongValue.selector, AMOUNT, AMOUNT - 1));
        escrow.openFromWallet{value: AMOUNT - 1}(t, "");
    }

    function test_the_escrow_takes_no_coins_outside_a_trade() public {
        (bool done, bytes memory why) = address(escrow).call{value: 1}("");
        eq(done ? 1 : 0, 0, "done");
        eq(uint256(keccak256(why)), uint256(keccak256(abi.encodeWithSelector(IEscrowErrors.NotADeposit.selector))), "why");
    }

    function test_a_payee_that_cannot_take_coins_blocks_nobody() public {
        CoinPayee.Mode[3] memory modes = [CoinPayee.Mode.REFUSE, CoinPayee.Mode.BURN, CoinPayee.Mode.BOMB];
        feeTo = address(payee);
        for (uint256 i = 0; i < modes.length; i++) {
            payee.behave(modes[i]);
            (IEscrow.Terms memory t, IEscrow.OrderAuthority memory a) = inCoin(address(0));
            t.salt = bytes32(i + 1);
            openWith(t, a);
            settleBySellerAndBuyer(t, AMOUNT);
            eq(escrow.credit(address(0), feeTo), (i + 1) * FEE, "credit");
            eq(buyerVault.balance, (i + 1) * (AMOUNT - FEE), "buyer");
        }
        payee.behave(CoinPayee.Mode.TAKE);
        escrow.withdrawCredit(address(0), feeTo);
        eq(feeTo.balance, 3 * uint256(FEE), "fee");
        eq(address(escrow).balance, 0, "escrow");
    }

    function test_a_payee_cannot_reenter() public {
        feeTo = address(payee);
        IEscrow.Terms memory t = openCoins();
        payee.reenter(address(escrow), abi.encodeCall(escrow.expire, (t)));
        settleBySellerAndBuyer(t, AMOUNT);
        eq(payee.reentered() ? 1 : 0, 0, "reentered");
        eq(feeTo.balance, FEE, "fee");
    }

    function test_a_vault_pays_coins_out_with_two_signatures_or_after_the_delay() public {
        Vault vault = Vault(payable(escrow.deployVault(seller)));
        IVault.Outflow memory out = IVault.Outflow(address(0), address(payee), AMOUNT, 1, uint40(NOW + 1 hours));
        bytes memory sig = signIn(domain("OTC Portal Vault", address(vault), block.chainid), PLATFORM_KEY, outHash(out));
        vm.prank(seller);
        vault.withdraw(out, "", sig);
        eq(address(payee).balance, AMOUNT, "at once");
        (out.nonce, out.amount) = (2, type(uint256).max);
        vm.prank(seller);
        vault.requestExit(out, "");
        vm.warp(NOW + 2 days);
        payee.behave(CoinPayee.Mode.REFUSE);
        vm.expectRevert(abi.encodeWithSelector(IVaultErrors.CoinRefused.selector, address(payee)));
        vault.exit(out);
        payee.behave(CoinPayee.Mode.TAKE);
        vault.exit(out);
        eq(address(payee).balance, 3 * uint256(AMOUNT), "all");
    }

    function test_a_payee_cannot_take_an_exit_twice() public {
        Vault vault = Vault(payable(escrow.deployVault(seller)));
        IVault.Outflow memory out = IVault.Outflow(address(0), address(payee), AMOUNT, 1, uint40(NOW + 1 hours));
        vm.prank(seller);
        vault.requestExit(out, "");
        payee.reenter(address(vault), abi.encodeCall(vault.exit, (out)));
        vm.warp(NOW + 2 days);
        vault.exit(out);
        eq(payee.reentered() ? 1 : 0, 0, "reentered");
        eq(address(payee).balance, AMOUNT, "once");
    }

    function openCoins() private returns (IEscrow.Terms memory t) {
        IEscrow.OrderAuthority memory a;
        (t, a) = inCoin(address(0));
        openWith(t, a);
    }

    function fund(address to, uint256 amount) private {
        (bool done,) = to.call{value: amount}("");
        eq(done ? 1 : 0, 1, "funded");
    }

    function outHash(IVault.Outflow memory out) private pure returns (bytes32) {
        bytes32 kind =
            keccak256("Withdraw(address token,address to,uint256 amount,uint256 nonce,uint40 deadline)");
        return keccak256(abi.encode(kind, out));
    }
}
