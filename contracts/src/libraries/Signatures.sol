// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Signature check for keys, delegated accounts and contract wallets alike.
/// @dev ECDSA comes first, so that an EIP-7702 account (a key with code) still signs with its key.
library Signatures {
    /// @dev Enough for a multisig of many owners or an elliptic curve in Solidity; a signer's contract
    /// can't burn more of a batch than this.
    uint256 internal constant WALLET_GAS = 500_000;

    /// @return whether `signature` over `digest` is by `signer`: low-s ECDSA, else ERC-1271.
    function isBy(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signer == address(0) || signature.length == 0) return false;
        if (signature.length == 65) {
            (address recovered, ECDSA.RecoverError problem,) = ECDSA.tryRecoverCalldata(digest, signature);
            if (problem == ECDSA.RecoverError.NoError && recovered == signer) return true;
        }
        return signer.code.length != 0 && _walletAgrees(signer, digest, signature);
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
