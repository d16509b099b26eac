// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../interfaces/IEscrow.sol";

/// @title EIP-712 struct hashes of everything that is signed for the escrow.
/// @dev Every act on a trade nests the whole terms, so that any wallet shows amount, counterparty and
/// deadlines. The nested hash is the trade id, which the contract has at hand: it costs no gas. The types
/// are spelt out each time because only the hash of a literal is worked out by the compiler.
library TradeHash {
    string internal constant TERMS_TYPE =
        "Terms(bytes32 salt,address seller,address buyer,address arbiter,address backupArbiter,address token,uint128 amount,uint128 fee,uint128 arbiterFee,address feeTo,uint40 payBy,uint40 resolveBy,uint40 sunset,uint16 sunsetBuyerBps)";

    bytes32 internal constant TERMS = keccak256(
        "Terms(bytes32 salt,address seller,address buyer,address arbiter,address backupArbiter,address token,uint128 amount,uint128 fee,uint128 arbiterFee,address feeTo,uint40 payBy,uint40 resolveBy,uint40 sunset,uint16 sunsetBuyerBps)"
    );
    bytes32 internal constant AUTHORITY = keccak256(
        "OrderAuthority(address owner,address token,uint128 maxTotal,uint128 minPerTrade,uint128 maxPerTrade,address arbiter,address backupArbiter,address feeTo,uint16 maxFeeBps,uint16 maxArbiterFeeBps,address opener,uint32 payWindow,uint32 resolveWindow,uint32 sunsetWindow,uint16 sunsetBuyerBps,uint40 deadline,uint256 nonce)"
    );
    bytes32 internal constant SETTLE = keccak256(
        "Settle(Terms terms,uint128 toBuyer,bool payArbiter,uint40 deadline)"
        "Terms(bytes32 salt,address seller,address buyer,address arbiter,address backupArbiter,address token,uint128 amount,uint128 fee,uint128 arbiterFee,address feeTo,uint40 payBy,uint40 resolveBy,uint40 sunset,uint16 sunsetBuyerBps)"
    );
    bytes32 internal constant OPEN = keccak256(
        "Open(Terms terms)"
        "Terms(bytes32 salt,address seller,address buyer,address arbiter,address backupArbiter,address token,uint128 amount,uint128 fee,uint128 arbiterFee,address feeTo,uint40 payBy,uint40 resolveBy,uint40 sunset,uint16 sunsetBuyerBps)"
    );
    bytes32 internal constant MARK_PAID = keccak256(
        "MarkPaid(Terms terms)"
        "Terms(bytes32 salt,address seller,address buyer,address arbiter,address backupArbiter,address token,uint128 amount,uint128 fee,uint128 arbiterFee,address feeTo,uint40 payBy,uint40 resolveBy,uint40 sunset,uint16 sunsetBuyerBps)"
    );
    bytes32 internal constant CANCEL = keccak256(
        "Cancel(Terms terms)"
        "Terms(bytes32 salt,address seller,address buyer,address arbiter,address backupArbiter,address token,uint128 amount,uint128 fee,uint128 arbiterFee,address feeTo,uint40 payBy,uint40 resolveBy,uint40 sunset,uint16 sunsetBuyerBps)"
    );
    bytes32 internal constant REVOKE = keccak256(
        "RevokeAuthority(OrderAuthority authority)"
        "OrderAuthority(address owner,address token,uint128 maxTotal,uint128 minPerTrade,uint128 maxPerTrade,address arbiter,address backupArbiter,address feeTo,uint16 maxFeeBps,uint16 maxArbiterFeeBps,address opener,uint32 payWindow,uint32 resolveWindow,uint32 sunsetWindow,uint16 sunsetBuyerBps,uint40 deadline,uint256 nonce)"
    );
    bytes32 internal constant REDIRECT = keccak256(
        "Redirect(address token,address creditor,address to,uint256 amount,uint256 nonce,uint40 deadline)"
    );

    function terms(IEscrow.Terms memory t) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := t
        }
        return _hash(TERMS, start, 14);
    }

    function authority(IEscrow.OrderAuthority memory a) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := a
        }
        return _hash(AUTHORITY, start, 17);
    }

    function settle(bytes32 tradeId, IEscrow.Decision memory d) internal pure returns (bytes32 hash) {
        bytes32 typeHash = SETTLE;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typeHash)
            mstore(add(words, 32), tradeId)
            mcopy(add(words, 64), d, 96)
            hash := keccak256(words, 160)
        }
    }

    function redirect(IEscrow.Redirect calldata r) internal pure returns (bytes32) {
        return keccak256(abi.encode(REDIRECT, r));
    }

    /// @dev For the acts that name nothing but one hashed struct: OPEN, MARK_PAID, CANCEL, REVOKE.
    function act(bytes32 typeHash, bytes32 subject) internal pure returns (bytes32) {
        return keccak256(abi.encode(typeHash, subject));
    }

    /// @dev Hashes a struct where it lies; the word before it lends its place to the type's hash.
    function _hash(bytes32 typeHash, uint256 start, uint256 words) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let before := sub(start, 32)
            let lent := mload(before)
            mstore(before, typeHash)
            hash := keccak256(before, mul(add(words, 1), 32))
            mstore(before, lent)
        }
    }
}
