// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Netting} from "../libraries/Netting.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Split} from "../libraries/Split.sol";
import {TradeHash} from "../libraries/TradeHash.sol";
import {Trades} from "./Trades.sol";

/// @title Paying out what two of three agree on, one by one or many at once, and the split at the sunset.
abstract contract Settlements is Trades {
    using Netting for Netting.Book;

    /// @dev Seller, buyer, fee and arbiter: a trade has no other payees.
    uint256 private constant PAYEES = 4;

    /// @dev More than three voices add up to.
    uint256 private constant WRONG = 4;

    /// @notice Executes a decision that two of the three parties agree on; the caller counts as one.
    /// @param sellerSig,buyerSig,arbiterSig signatures of `Settle`; empty where a party did not sign
    function settle(
        Terms memory terms,
        Decision memory decision,
        bytes calldata sellerSig,
        bytes calldata buyerSig,
        bytes calldata arbiterSig
    ) external nonReentrant {
        bytes32 tradeId = TradeHash.terms(terms);
        _revertWith(_refusal(terms, tradeId, decision, sellerSig, buyerSig, arbiterSig));
        _payShares(terms, _close(terms, tradeId, decision));
    }

    /// @notice Executes many decisions, paying each payee once per token.
    /// @param skip whether one that can't be executed is passed over (with a `Skipped`) or reverts all
    /// @return settled how many were executed
    function settleBatch(Settlement[] calldata settlements, bool skip)
        external
        nonReentrant
        returns (uint256 settled)
    {
        Netting.Book memory book = Netting.book(settlements.length * PAYEES);
        for (uint256 i = 0; i < settlements.length; i++) {
            if (_settleInto(book, settlements[i], skip)) settled++;
        }
        _payBook(book);
    }

    /// @notice Executes many full releases that seller and buyer signed with keys, for about half the calldata
    /// of `settleBatch`. What trades have in common is stated once.
    /// @param common the terms of any of the trades. Each has its own salt, seller, buyer, amount, fee and
    /// `payBy` from its element; `resolveBy` and `sunset` are as long after `payBy` as they are here.
    /// @param deadline that of the decision about the trade whose terms `common` is; in the others' decisions
    /// it is as long after `payBy` as in this one
    /// @param skip whether one that can't be executed is passed over (with a `Skipped`) or reverts all
    /// @return settled how many were executed
    function releaseBatch(Terms memory common, uint40 deadline, Release[] calldata releases, bool skip)
        external
        nonReentrant
        returns (uint256 settled)
    {
        Netting.Book memory book = Netting.book(releases.length + 1);
        Decision memory decision = Decision(0, false, deadline);
        for (uint256 i = 0; i < releases.length; i++) {
            _adapt(common, decision, releases[i]);
            if (_releaseInto(book, common, decision, releases[i], skip)) settled++;
        }
        _payBook(book);
    }

    /// @notice Pays out the agreed split of a paid trade that nobody decided in time. Anyone may call.
    function splitAtSunset(Terms memory terms) external nonReentrant {
        bytes32 tradeId = TradeHash.terms(terms);
        _requireStatus(tradeId, Status.PAID);
        if (block.timestamp <= terms.sunset) revert TooEarly(terms.sunset);
        statusOf[tradeId] = Status.CLOSED;
        uint128 toBuyer = Split.part(terms.amount, terms.sunsetBuyerBps, 10_000);
        Split.Shares memory shares = Split.shares(terms, toBuyer, 0);
        emit SunsetReached(tradeId);
        emit Settled(tradeId, toBuyer, shares.feeTo, 0);
        _payShares(terms, shares);
    }

    /// @notice The third signer at this moment: the arbiter, or after `resolveBy` the backup.
    function arbiterNow(Terms memory terms) public view returns (address) {
        return block.timestamp > terms.resolveBy ? terms.backupArbiter : terms.arbiter;
    }

    function _settleInto(Netting.Book memory book, Settlement calldata one, bool skip) private returns (bool) {
        (Terms memory terms, Decision memory decision) = (one.terms, one.decision);
        bytes32 tradeId = TradeHash.terms(terms);
        bytes memory why = _refusal(terms, tradeId, decision, one.sellerSig, one.buyerSig, one.arbiterSig);
        return _closeInto(book, terms, tradeId, decision, why, skip);
    }

    function _releaseInto(
        Netting.Book memory book,
        Terms memory terms,
        Decision memory decision,
        Release calldata one,
        bool skip
    ) private returns (bool) {
        bytes32 tradeId = TradeHash.terms(terms);
        bytes memory why = _obstacle(terms, tradeId, decision);
        if (why.length == 0) {
            bytes32 digest = _hashTypedDataV4(TradeHash.settle(tradeId, decision));
            if (!Signatures.isByKey(terms.seller, digest, one.sellerR, one.sellerVs)) {
                why = abi.encodeWithSelector(BadSignature.selector, terms.seller);
            } else if (!Signatures.isByKey(terms.buyer, digest, one.buyerR, one.buyerVs)) {
                why = abi.encodeWithSelector(BadSignature.selector, terms.buyer);
            }
        }
        return _closeInto(book, terms, tradeId, decision, why, skip);
    }

    /// @dev Gives the terms and the decision of the last trade what is this one's own. Times that wrap
    /// around make terms that nobody opened.
    function _adapt(Terms memory t, Decision memory d, Release calldata one) private pure {
        (t.salt, t.seller, t.buyer, t.amount, t.fee) = (one.salt, one.seller, one.buyer, one.amount, one.fee);
        d.toBuyer = one.amount;
        unchecked {
            uint40 later = one.payBy - t.payBy;
            (t.payBy, t.resolveBy, t.sunset) = (t.payBy + later, t.resolveBy + later, t.sunset + later);
            d.deadline += later;
        }
    }

    /// @param why the encoded error that forbids this settlement; empty if nothing does
    function _closeInto(
        Netting.Book memory book,
        Terms memory terms,
        bytes32 tradeId,
        Decision memory decision,
        bytes memory why,
        bool skip
    ) private returns (bool) {
        if (why.length != 0 && skip) {
            emit Skipped(tradeId, why);
            return false;
        }
        _revertWith(why);
        _oweShares(book, terms, _close(terms, tradeId, decision));
        return true;
    }

    /// @return why the encoded error that forbids this settlement whoever signed it; empty if nothing does
    function _obstacle(Terms memory terms, bytes32 tradeId, Decision memory decision)
        private
        view
        returns (bytes memory why)
    {
        Status status = statusOf[tradeId];
        if (!_isLive(status)) return abi.encodeWithSelector(WrongStatus.selector, tradeId, status);
        if (decision.toBuyer > terms.amount) return abi.encodeWithSelector(BadTerms.selector, "toBuyer");
        if (block.timestamp > decision.deadline) {
            return abi.encodeWithSelector(DeadlinePassed.selector, decision.deadline);
        }
    }

    /// @return why the encoded error that forbids this settlement; empty if nothing does
    function _refusal(
        Terms memory terms,
        bytes32 tradeId,
        Decision memory decision,
        bytes calldata sellerSig,
        bytes calldata buyerSig,
        bytes calldata arbiterSig
    ) private view returns (bytes memory why) {
        why = _obstacle(terms, tradeId, decision);
        if (why.length != 0) return why;
        bytes32 digest = _hashTypedDataV4(TradeHash.settle(tradeId, decision));
        address arbiter = arbiterNow(terms);
        uint256 seller = _voice(terms.seller, digest, sellerSig);
        uint256 buyer = _voice(terms.buyer, digest, buyerSig);
        uint256 third = _voice(arbiter, digest, arbiterSig);
        uint256 given = seller + buyer + third;
        if (given >= WRONG) {
            address liar = seller == WRONG ? terms.seller : buyer == WRONG ? terms.buyer : arbiter;
            return abi.encodeWithSelector(BadSignature.selector, liar);
        }
        if (given < 2) return abi.encodeWithSelector(SignaturesMissing.selector, given);
        if (decision.payArbiter && third == 0) return abi.encodeWithSelector(ArbiterDidNotSign.selector, arbiter);
    }

    /// @return 1 if the party calls or signed, 0 if it is silent, WRONG if what it is said to have signed
    /// is not by it: that spoils the whole settlement
    function _voice(address party, bytes32 digest, bytes calldata signature) private view returns (uint256) {
        if (msg.sender == party) return 1;
        if (signature.length == 0) return 0;
        return Signatures.isBy(party, digest, signature) ? 1 : WRONG;
    }

    function _close(Terms memory terms, bytes32 tradeId, Decision memory decision)
        private
        returns (Split.Shares memory shares)
    {
        statusOf[tradeId] = Status.CLOSED;
        shares = Split.shares(terms, decision.toBuyer, decision.payArbiter ? terms.arbiterFee : 0);
        emit Settled(tradeId, decision.toBuyer, shares.feeTo, shares.arbiter);
    }

    function _payShares(Terms memory t, Split.Shares memory shares) private {
        if (shares.buyer != 0) _pay(t.token, vaultOf(t.buyer), shares.buyer);
        if (shares.seller != 0) _pay(t.token, vaultOf(t.seller), shares.seller);
        _pay(t.token, t.feeTo, shares.feeTo);
        _pay(t.token, arbiterNow(t), shares.arbiter);
    }

    function _oweShares(Netting.Book memory book, Terms memory t, Split.Shares memory shares) private {
        if (shares.buyer != 0) book.owe(t.token, vaultOf(t.buyer), shares.buyer);
        if (shares.seller != 0) book.owe(t.token, vaultOf(t.seller), shares.seller);
        book.owe(t.token, t.feeTo, shares.feeTo);
        book.owe(t.token, arbiterNow(t), shares.arbiter);
    }

    function _payBook(Netting.Book memory book) private {
        for (uint256 i = 0; i < book.count; i++) {
            (address token, address payee) = (book.tokens[i], book.payees[i]);
            _pay(token, payee, Netting.take(token, payee));
        }
    }

    function _revertWith(bytes memory why) private pure {
        if (why.length == 0) return;
        assembly ("memory-safe") {
            revert(add(why, 32), mload(why))
        }
    }
}
