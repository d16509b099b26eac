// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "./IEscrow.sol";

/// @title Why the escrow refuses.
interface IEscrowErrors {
    /// @notice A trade with these very terms exists or existed.
    error AlreadyUsed(bytes32 tradeId);

    /// @notice The trade is not where this act is possible.
    error WrongStatus(bytes32 tradeId, IEscrow.Status status);

    /// @notice This field of the terms or the decision is not acceptable.
    error BadTerms(string field);

    /// @notice The seller's authority does not cover this field of the terms.
    error OutsideAuthority(string field);

    /// @notice A signature that was given is not by this account over this.
    error BadSignature(address expected);

    /// @notice Fewer than two of the three parties agreed.
    error SignaturesMissing(uint256 given);

    /// @notice The decision pays an arbiter who did not sign it.
    error ArbiterDidNotSign(address arbiter);

    /// @notice The last second for this has passed.
    error DeadlinePassed(uint256 deadline);

    /// @notice Possible only after this second.
    error TooEarly(uint256 until);

    /// @notice The token delivered another amount than was sent.
    error InexactTransfer(uint256 expected, uint256 received);

    /// @notice The amount of the chain's own coin sent along is not what the terms say.
    error WrongValue(uint256 expected, uint256 given);

    /// @notice The payee still can't be paid.
    error TransferRefused(address token, address to);

    /// @notice There is no credit, or less than was asked for.
    error NoCredit();

    /// @notice The signer has given an order with this nonce before.
    error NonceUsed(uint256 nonce);

    /// @notice Coins sent to the escrow outside a trade would be lost; send them to a vault.
    error NotADeposit();
}
