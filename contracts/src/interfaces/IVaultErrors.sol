// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Why a vault refuses.
interface IVaultErrors {
    /// @notice Only the escrow that made this vault may pull.
    error OnlyEscrow();

    /// @notice A withdrawal or an exit with this nonce was asked for before.
    error NonceUsed(uint256 nonce);

    /// @notice Not signed by this account.
    error SignatureRejected(address expected);

    /// @notice The last second for this request has passed.
    error RequestExpired(uint256 deadline);

    /// @notice No exit waits under this request.
    error NoSuchExit(uint256 nonce);

    /// @notice The exit may be taken from this second on.
    error ExitNotReady(uint256 readyAt);

    /// @notice The exit was not taken by this second.
    error ExitLapsed(uint256 until);

    /// @notice The payee did not take the chain's own coin.
    error CoinRefused(address to);
}
