// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Signature check for keys, delegated accounts and contract wallets alike.
/// @dev ECDSA comes first, so that an EIP-7702 account (a key with code) still signs with its key.
library Signatures {
    /// @dev Enough for a multisig of many owners or an elliptic curve in Solidity; a signer's contract
    /// can't burn more of a batch than this.
    uint256 internal constant WALLET_GAS = 500_000;

    /// @dev Half the order of secp256k1: of the two values of s that fit, only the lower is taken.
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @return whether `signature` over `digest` is by `signer`: low-s ECDSA, else ERC-1271.
    function isBy(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signer == address(0) || signature.length == 0) return false;
        if (signature.length == 65 && _recovered(digest, signature) == signer) return true;
        return signer.code.length != 0 && _walletAgrees(signer, digest, signature);
    }

    /// @notice The same for a key alone, whose signature is compact: two words, as in EIP-2098.
    /// @param vs the parity of the point in the highest bit, s in the others
    function isByKey(address signer, bytes32 digest, bytes32 r, bytes32 vs) internal view returns (bool) {
        uint256 s = uint256(vs) & (2 ** 255 - 1);
        return signer != address(0) && _recovered(digest, 27 + (uint256(vs) >> 255), r, s) == signer;
    }

    function _recovered(bytes32 digest, bytes calldata signature) private view returns (address) {
        (bytes32 r, bytes32 s) = (bytes32(signature[:32]), bytes32(signature[32:64]));
        return _recovered(digest, uint8(signature[64]), r, uint256(s));
    }

    /// @return signer who signed r, s, v; zero for a high s, a v other than 27 and 28, or no point of the curve
    function _recovered(bytes32 digest, uint256 v, bytes32 r, uint256 s) private view returns (address signer) {
        if (s > HALF_ORDER) return address(0);
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, digest)
            mstore(add(words, 32), v)
            mstore(add(words, 64), r)
            mstore(add(words, 96), s)
            // The precompile returns nothing for a signature that is none: then zero stays here.
            mstore(0, 0)
            pop(staticcall(gas(), 1, words, 128, 0, 32))
            signer := mload(0)
        }
    }

    /// @dev ERC-1271 with bounded gas and at most 32 bytes of returned data.
    function _walletAgrees(address wallet, bytes32 digest, bytes calldata signature)
        private
        view
        returns (bool agrees)
    {
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bytes32 magic = bytes32(IERC1271.isValidSignature.selector);
        uint256 gasLimit = WALLET_GAS;
        assembly ("memory-safe") {
            mstore(0, 0)
            let ok := staticcall(gasLimit, wallet, add(question, 32), mload(question), 0, 32)
            agrees := and(ok, and(gt(returndatasize(), 31), eq(mload(0), magic)))
        }
    }
}
