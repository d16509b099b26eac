// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {EscrowTestBase} from "./EscrowTestBase.sol";

/// @notice What each act costs as a transaction of its own, intrinsic gas included. Run with
/// `forge test --isolate`, which makes a transaction of every call; without it nothing is asserted,
/// because storage is warm. The bounds are what was reached, not what was wished: docs/escrow.md.
/// @dev A token like USDT; payees and escrow have held it before, which is the usual case.
contract GasTest is EscrowTestBase {
    uint256 private constant MANY = 100;

    event Gas(string act, uint256 each);

    function setUp() public override {
        super.setUp();
        usdt.mint(address(escrow), 1);
        usdt.mint(buyerVault, 1);
        usdt.mint(feeTo, 1);
        usdt.mint(sellerVault, 1_000_000 * uint256(AMOUNT));
        usdt.mint(seller, 1_000_000 * uint256(AMOUNT));
        vm.prank(seller);
        usdt.approve(address(escrow), type(uint256).max);
        escrow.deployVault(seller);
    }

    function test_gas_open_from_a_vault() public {
        IEscrow.Terms memory t = lean(1);
        IEscrow.OrderAuthority memory a = wideAuthority();
        bytes memory sig = signAuthority(a);
        escrow.open(t, a, sig);
        t = lean(2);
        escrow.open(t, a, sig);
        report("open from a vault, later trades of an order", 1, 98_000);
    }

    function test_gas_open_from_a_wallet() public {
        IEscrow.Terms memory t = lean(1);
        vm.prank(seller);
        escrow.openFromWallet(t, "");
        report("open from a wallet, seller calls", 1, 80_000);
    }

    function test_gas_mark_paid() public {
        IEscrow.Terms memory t = opened(1);
        escrow.markPaid(t, signMarkPaid(BUYER_KEY, t));
        report("markPaid by signature", 1, 50_000);
    }

    function test_gas_settle() public {
        IEscrow.Terms memory t = opened(1);
        IEscrow.Settlement memory s = bySellerAndBuyer(t, fullRelease(t));
        escrow.settle(s.terms, s.decision, s.sellerSig, s.buyerSig, "");
        report("settle with two signatures", 1, 75_000);
    }

    function test_gas_settle_by_the_seller() public {
        IEscrow.Terms memory t = opened(1);
        IEscrow.Decision memory d = fullRelease(t);
        bytes memory sig = signSettle(BUYER_KEY, t, d);
        vm.prank(seller);
        escrow.settle(t, d, "", sig, "");
        report("settle, seller calls with the buyer's signature", 1, 75_000);
    }

    function test_gas_batch_of_a_hundred_buyers() public {
        IEscrow.Settlement[] memory all = new IEscrow.Settlement[](MANY);
        for (uint256 i = 0; i < MANY; i++) all[i] = ready(toBuyer(i), 0xB0000 + i);
        escrow.settleBatch(all, false);
        report("any 100 decisions to as many buyers, each", MANY, 38_500);
    }

    function test_gas_releases_to_a_hundred_buyers() public {
        IEscrow.Release[] memory all = new IEscrow.Release[](MANY);
        for (uint256 i = 0; i < MANY; i++) all[i] = asRelease(ready(toBuyer(i), 0xB0000 + i));
        escrow.releaseBatch(lean(1), fullRelease(lean(1)).deadline, all, false);
        report("batch of 100 releases to as many buyers, each", MANY, 33_000);
    }

    function test_gas_releases_netted() public {
        IEscrow.Release[] memory all = new IEscrow.Release[](MANY);
        for (uint256 i = 0; i < MANY; i++) all[i] = asRelease(ready(lean(i + 1), BUYER_KEY));
        escrow.releaseBatch(lean(1), fullRelease(lean(1)).deadline, all, false);
        report("batch of 100 releases to one buyer, each", MANY, 25_000);
    }

    function test_gas_batch_of_a_hundred_netted() public {
        IEscrow.Settlement[] memory all = new IEscrow.Settlement[](MANY);
        for (uint256 i = 0; i < MANY; i++) all[i] = ready(lean(i + 1), BUYER_KEY);
        escrow.settleBatch(all, false);
        report("any 100 decisions to one buyer, each", MANY, 29_500);
    }

    /// @dev As the portal opens trades: a small number as salt, no fee for the arbiter.
    function lean(uint256 number) private view returns (IEscrow.Terms memory t) {
        t = someTerms();
        t.salt = bytes32(number);
        t.arbiterFee = 0;
    }

    function wideAuthority() private view returns (IEscrow.OrderAuthority memory a) {
        a = someAuthority();
        a.maxTotal = type(uint128).max;
    }

    function opened(uint256 number) private returns (IEscrow.Terms memory t) {
        t = lean(number);
        vm.prank(seller);
        escrow.openFromWallet(t, "");
    }

    function toBuyer(uint256 number) private returns (IEscrow.Terms memory t) {
        t = lean(number + 1);
        t.buyer = vm.addr(0xB0000 + number);
        usdt.mint(escrow.vaultOf(t.buyer), 1);
    }

    function ready(IEscrow.Terms memory t, uint256 buyerKey) private returns (IEscrow.Settlement memory) {
        vm.prank(seller);
        escrow.openFromWallet(t, "");
        IEscrow.Decision memory d = fullRelease(t);
        return IEscrow.Settlement(t, d, signSettle(SELLER_KEY, t, d), signSettle(buyerKey, t, d), "");
    }

    function report(string memory act, uint256 parts, uint256 most) private {
        uint256 each = vm.lastCallGas().gasTotalUsed / parts;
        emit Gas(act, each);
        if (each > most) revert Unequal(act, each, most);
    }
}
