// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Where a clone with its owner as only argument is deployed by CREATE2 with salt zero.
/// @dev The same as OpenZeppelin's `Clones.predictDeterministicAddressWithImmutableArgs`, for exactly one
/// argument of 20 bytes and without allocating memory: every payout asks for it.
library VaultAddress {
    /// @dev PUSH2 of the size (45 + 20), the rest of OpenZeppelin's creation code up to the implementation.
    bytes32 private constant HEAD = hex"6100413d81600a3d39f3363d3d373d3d3d363d73";
    bytes32 private constant TAIL = hex"5af43d82803e903d91602b57fd5bf3";

    /// @return vault EIP-1014 address for this contract as deployer
    function predict(address implementation, address owner) internal view returns (address vault) {
        (bytes32 head, bytes32 tail) = (HEAD, TAIL);
        assembly ("memory-safe") {
            let code := mload(0x40)
            mstore(code, head)
            mstore(add(code, 20), shl(96, implementation))
            mstore(add(code, 40), tail)
            mstore(add(code, 55), shl(96, owner))
            let codeHash := keccak256(code, 75)
            mstore8(code, 0xff)
            mstore(add(code, 1), shl(96, address()))
            mstore(add(code, 21), 0)
            mstore(add(code, 53), codeHash)
            vault := shr(96, shl(96, keccak256(code, 85)))
        }
    }
}
