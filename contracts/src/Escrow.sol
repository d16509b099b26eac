// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Settlements} from "./escrow/Settlements.sol";
import {Vaults} from "./escrow/Vaults.sol";
import {WalletOpenings} from "./escrow/WalletOpenings.sol";

/// @title Escrow for two-party trades of coins against money paid elsewhere.
/// @notice No owner, no upgrade, no pause. Coins leave only to the vaults of the seller and buyer named
/// in the terms, to `feeTo` and to an arbiter who signed. Moving them takes two of seller, buyer and
/// arbiter, or the buyer's own cancellation, or the passing of `payBy` without a payment, or that of
/// `sunset` without a decision.
/// @dev Tokens that take a fee on transfer are refused at opening; tokens that return nothing work.
contract Escrow is WalletOpenings, Settlements {
    /// @param coSigner account (or ERC-1271 contract) that co-signs immediate vault withdrawals
    constructor(address coSigner) Vaults(coSigner) {}
}
