// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "./IEscrow.sol";

/// @title What the escrow tells the world.
interface IEscrowEvents {
    /// @notice Coins are locked. Carries the terms that every later call needs.
    /// @param authority hash of the seller's authority; zero when the coins came from a wallet
    event Opened(
        bytes32 indexed tradeId, address indexed seller, address indexed buyer, bytes32 authority, IEscrow.Terms terms
    );

    /// @notice The buyer stated that the money was sent.
    event Paid(bytes32 indexed tradeId);

    /// @notice The buyer gave the trade up; everything returns to the seller.
    event Cancelled(bytes32 indexed tradeId);

    /// @notice The trade was not marked paid in time; everything returns to the seller.
    event Expired(bytes32 indexed tradeId);

    /// @notice The trade's sunset passed with nobody deciding; a `Settled` with the agreed split follows.
    event SunsetReached(bytes32 indexed tradeId);

    /// @notice The trade is paid out. The buyer's net share is `toBuyer` less their parts of the fees.
    /// @param toBuyer the buyer's gross share
    /// @param feePart what goes to `feeTo`
    /// @param arbiterFee what goes to the arbiter who signed
    event Settled(bytes32 indexed tradeId, uint128 toBuyer, uint128 feePart, uint128 arbiterFee);

    /// @notice One settlement of a batch was passed over.
    /// @param why the error that it would have reverted with
    event Skipped(bytes32 indexed tradeId, bytes why);

    /// @notice A payee could not be paid and has a credit instead.
    event Credited(address indexed token, address indexed to, uint256 amount);

    /// @notice A credit was paid to whom it belongs.
    event CreditWithdrawn(address indexed token, address indexed to, uint256 amount);

    /// @notice A credit was paid elsewhere on its owner's order.
    event CreditRedirected(address indexed token, address indexed creditor, address indexed to, uint256 amount);

    /// @notice No trade can be opened with this authority any more.
    event AuthorityRevoked(bytes32 indexed authority, address indexed owner);

    /// @notice The code of a trader's vault is on chain.
    event VaultDeployed(address indexed owner, address vault);
}
