// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVaultErrors} from "./IVaultErrors.sol";
import {IVaultEvents} from "./IVaultEvents.sol";

/// @title A trader's vault: its types, and what the escrow asks of it.
interface IVault is IVaultErrors, IVaultEvents {
    /// @notice One movement out of the vault, to an address that its owner chose.
    /// @param token the coin's contract; zero for the chain's own coin
    /// @param amount in the token's smallest unit
    /// @param nonce any number not used before in this vault
    /// @param deadline last second (unix time) at which the signed request is accepted
    struct Outflow {
        address token;
        address to;
        uint256 amount;
        uint256 nonce;
        uint40 deadline;
    }

    /// @notice Sends coins to the escrow. Only the escrow calls it, from inside `open`.
    function pull(address token, uint256 amount) external;
}
