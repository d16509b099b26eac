// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../interfaces/IEscrow.sol";

/// @title EIP-712 struct hashes of everything that is signed for the escrow.
library TradeHash {
    bytes32 internal constant TERMS = keccak256(
        "Terms(bytes32 salt,address seller,address buyer,address arbiter,address token,uint128 amount,uint128 fee,address feeTo,uint40 payBy)"
    );
    bytes32 internal constant AUTHORITY = keccak256(
        "OrderAuthority(address owner,address token,uint128 maxTotal,uint128 maxPerTrade,address arbiter,address feeTo,uint16 maxFeeBps,address opener,uint32 payWindow,uint40 deadline,uint256 nonce)"
    );
    bytes32 internal constant SETTLE = keccak256("Settle(bytes32 tradeId,uint128 toBuyer,uint40 deadline)");
    bytes32 internal constant MARK_PAID = keccak256("MarkPaid(bytes32 tradeId)");
    bytes32 internal constant CANCEL = keccak256("Cancel(bytes32 tradeId)");
    bytes32 internal constant REVOKE = keccak256("RevokeAuthority(bytes32 authority)");

    function terms(IEscrow.Terms calldata t) internal pure returns (bytes32) {
        return keccak256(abi.encode(TERMS, t));
    }

    function authority(IEscrow.OrderAuthority calldata a) internal pure returns (bytes32) {
        return keccak256(abi.encode(AUTHORITY, a));
    }

    function settle(IEscrow.Settle calldata s) internal pure returns (bytes32) {
        return keccak256(abi.encode(SETTLE, s));
    }

    /// @dev For the acts that name nothing but one hash: MARK_PAID, CANCEL, REVOKE.
    function act(bytes32 typeHash, bytes32 subject) internal pure returns (bytes32) {
        return keccak256(abi.encode(typeHash, subject));
    }
}
