// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The one function of Permit2's SignatureTransfer that the escrow calls.
/// @dev Deployed by Uniswap at the same address on most chains; its documentation gives the types.
interface IPermit2 {
    /// @notice The token and the most that a signature lets the spender take.
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    /// @notice What the owner signs, besides the spender and the witness.
    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    /// @notice Where the coins go, chosen by the spender.
    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    /// @notice Moves coins under a signature that also covers a witness: a hash of the spender's choice.
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;
}
