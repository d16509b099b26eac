// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Types, events and errors of a trader's vault.
interface IVault {
    /// @notice One movement out of the vault, to an address that its owner chose.
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

    event Withdrawn(address indexed token, address indexed to, uint256 amount, uint256 nonce);
    event ExitRequested(address indexed token, address indexed to, uint256 amount, uint256 nonce, uint40 readyAt);
    event ExitCancelled(uint256 nonce);
    event Exited(address indexed token, address indexed to, uint256 amount, uint256 nonce);

    error OnlyEscrow();
    error NonceUsed(uint256 nonce);
    error SignatureRejected(address expected);
    error RequestExpired(uint256 deadline);
    error NoSuchExit(uint256 nonce);
    error ExitNotReady(uint256 readyAt);
    error ExitLapsed(uint256 until);

    /// @notice Sends coins to the escrow. Only the escrow calls it, from inside `open`.
    function pull(address token, uint256 amount) external;
}
