// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a vault tells the world. `token` zero is the chain's own coin.
interface IVaultEvents {
    /// @notice Coins left with both signatures.
    event Withdrawn(address indexed token, address indexed to, uint256 amount, uint256 nonce);

    /// @notice The owner's delay began; the exit may be taken from `readyAt` on.
    event ExitRequested(address indexed token, address indexed to, uint256 amount, uint256 nonce, uint40 readyAt);

    /// @notice The owner took an exit request back.
    event ExitCancelled(uint256 nonce);

    /// @notice Coins left on the owner's word alone.
    event Exited(address indexed token, address indexed to, uint256 amount, uint256 nonce);
}
