// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TradeHash} from "../libraries/TradeHash.sol";
import {Payouts} from "./Payouts.sol";

/// @title Where each trade stands, and the acts that need one party or none.
abstract contract Trades is Payouts {
    /// @notice Where a trade stands; ids are never cleared, so that no signature serves twice.
    mapping(bytes32 tradeId => Status) public statusOf;

    /// @notice The buyer states that the money is on its way; from here only signatures or the sunset
    /// move the coins.
    /// @param buyerSig buyer's signature of `MarkPaid`; may be empty when the buyer calls
    function markPaid(Terms memory terms, bytes calldata buyerSig) external {
        bytes32 tradeId = TradeHash.terms(terms);
        _requireStatus(tradeId, Status.OPEN);
        if (block.timestamp > terms.payBy) revert DeadlinePassed(terms.payBy);
        _requireAct(terms.buyer, TradeHash.act(TradeHash.MARK_PAID, tradeId), buyerSig);
        statusOf[tradeId] = Status.PAID;
        emit Paid(tradeId);
    }

    /// @notice The buyer gives up the trade, at any time while it is live: everything returns to the seller.
    /// @param buyerSig buyer's signature of `Cancel`; may be empty when the buyer calls
    function cancel(Terms memory terms, bytes calldata buyerSig) external nonReentrant {
        bytes32 tradeId = TradeHash.terms(terms);
        Status status = statusOf[tradeId];
        if (!_isLive(status)) revert WrongStatus(tradeId, status);
        _requireAct(terms.buyer, TradeHash.act(TradeHash.CANCEL, tradeId), buyerSig);
        statusOf[tradeId] = Status.CLOSED;
        emit Cancelled(tradeId);
        _pay(terms.token, vaultOf(terms.seller), terms.amount);
    }

    /// @notice Returns the coins of a trade that was not marked paid in time. Anyone may call.
    function expire(Terms memory terms) external nonReentrant {
        bytes32 tradeId = TradeHash.terms(terms);
        _requireStatus(tradeId, Status.OPEN);
        if (block.timestamp <= terms.payBy) revert TooEarly(terms.payBy);
        statusOf[tradeId] = Status.CLOSED;
        emit Expired(tradeId);
        _pay(terms.token, vaultOf(terms.seller), terms.amount);
    }

    function _requireStatus(bytes32 tradeId, Status wanted) internal view {
        Status status = statusOf[tradeId];
        if (status != wanted) revert WrongStatus(tradeId, status);
    }

    function _isLive(Status status) internal pure returns (bool) {
        return status == Status.OPEN || status == Status.PAID;
    }
}
