// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IEscrowErrors} from "../interfaces/IEscrowErrors.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {TradeHash} from "../libraries/TradeHash.sol";

/// @title Who agreed to what: signatures under this contract's domain, or the caller's own act.
abstract contract Consent is IEscrow, IEscrowErrors, EIP712, ReentrancyGuardTransient {
    constructor() EIP712("OTC Portal Escrow", "1") {}

    /// @notice EIP-712 domain separator on this chain.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @notice EIP-712 struct hash of the terms: the trade's id.
    function tradeIdOf(Terms memory terms) external pure returns (bytes32) {
        return TradeHash.terms(terms);
    }

    /// @notice EIP-712 struct hash of an authority, the key of `usedOf`.
    function authorityHashOf(OrderAuthority memory authority) external pure returns (bytes32) {
        return TradeHash.authority(authority);
    }

    /// @dev Reverts unless `party` calls or signed the struct.
    function _requireAct(address party, bytes32 structHash, bytes calldata signature) internal view {
        if (msg.sender == party) return;
        if (!Signatures.isBy(party, _hashTypedDataV4(structHash), signature)) revert BadSignature(party);
    }
}
