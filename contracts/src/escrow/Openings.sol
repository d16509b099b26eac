// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IVault} from "../interfaces/IVault.sol";
import {TradeHash} from "../libraries/TradeHash.sol";
import {Trades} from "./Trades.sol";

/// @title Locking coins from a seller's vault, under an authority signed with the order.
abstract contract Openings is Trades {
    /// @notice No trade may carry a fee above 5 % of its amount, whatever was signed.
    uint256 public constant FEE_CAP_BPS = 500;

    /// @notice No arbiter may earn above 2 % of a trade's amount, whatever was signed.
    uint256 public constant ARBITER_FEE_CAP_BPS = 200;

    /// @notice The least that a buyer who marked the trade paid gets at its sunset. A paid trade never
    /// falls back to the seller by default.
    uint256 public constant SUNSET_BUYER_FLOOR_BPS = 5_000;

    /// @notice No trade may have its sunset later than this after its opening: coins always get out.
    uint256 public constant LONGEST_LIFE = 730 days;

    /// @notice What trades have taken out of an authority; the maximum value means revoked.
    mapping(bytes32 authority => uint256) public usedOf;

    /// @notice Takes the chain's own coin, but only while a trade is being opened.
    receive() external payable {
        if (!_reentrancyGuardEntered()) revert NotADeposit();
    }

    /// @notice Locks the seller's coins for one trade. Anyone may relay unless the authority names an opener.
    /// @param sellerSig seller's signature of `authority`; may be empty when the seller calls
    /// @return tradeId struct hash of `terms`
    function open(Terms memory terms, OrderAuthority memory authority, bytes calldata sellerSig)
        external
        nonReentrant
        returns (bytes32 tradeId)
    {
        bytes32 authorityHash = TradeHash.authority(authority);
        tradeId = _begin(terms, authorityHash);
        _requireInside(terms, authority);
        _requireAct(authority.owner, authorityHash, sellerSig);
        _use(authorityHash, authority.maxTotal, terms.amount);
        address vault = _ensureVault(terms.seller);
        uint256 before = _balance(terms.token);
        IVault(vault).pull(terms.token, terms.amount);
        _requireReceived(terms, before);
    }

    /// @notice Ends an authority: no further trade can be opened with it; open trades are untouched.
    /// @param ownerSig owner's signature of `RevokeAuthority`; may be empty when the owner calls
    function revokeAuthority(OrderAuthority memory authority, bytes calldata ownerSig) external {
        bytes32 authorityHash = TradeHash.authority(authority);
        _requireAct(authority.owner, TradeHash.act(TradeHash.REVOKE, authorityHash), ownerSig);
        usedOf[authorityHash] = type(uint256).max;
        emit AuthorityRevoked(authorityHash, authority.owner);
    }

    /// @dev Checks the terms and takes the trade's id, before any coins move.
    /// @param authorityHash zero when the coins come from a wallet
    function _begin(Terms memory terms, bytes32 authorityHash) internal returns (bytes32 tradeId) {
        tradeId = TradeHash.terms(terms);
        if (statusOf[tradeId] != Status.NONE) revert AlreadyUsed(tradeId);
        _checkParties(terms);
        _checkMoney(terms);
        _checkTimes(terms);
        statusOf[tradeId] = Status.OPEN;
        _announce(terms, tradeId, authorityHash);
    }

    function _balance(address token) internal view returns (uint256) {
        return token == address(0) ? address(this).balance : IERC20(token).balanceOf(address(this));
    }

    /// @dev Refuses tokens that keep a part of what is transferred: the escrow would owe what it hasn't got.
    function _requireReceived(Terms memory t, uint256 before) internal view {
        uint256 received = _balance(t.token) - before;
        if (received != t.amount) revert InexactTransfer(t.amount, received);
    }

    /// @dev Emits `Opened` from where the terms lie; the word before them lends its place to the authority.
    function _announce(Terms memory t, bytes32 tradeId, bytes32 authorityHash) private {
        bytes32 topic = Opened.selector;
        (address seller, address buyer) = (t.seller, t.buyer);
        assembly ("memory-safe") {
            let before := sub(t, 32)
            let lent := mload(before)
            mstore(before, authorityHash)
            log4(before, 480, topic, tradeId, seller, buyer)
            mstore(before, lent)
        }
    }

    function _checkParties(Terms memory t) private pure {
        if (t.seller == address(0)) revert BadTerms("seller");
        if (t.buyer == address(0) || t.buyer == t.seller) revert BadTerms("buyer");
        if (!_isThird(t, t.arbiter)) revert BadTerms("arbiter");
        if (!_isThird(t, t.backupArbiter)) revert BadTerms("backupArbiter");
    }

    /// @dev Somebody, and neither of the two parties: one key must never be two of the three signers.
    function _isThird(Terms memory t, address who) private pure returns (bool) {
        return who != address(0) && who != t.seller && who != t.buyer;
    }

    function _checkMoney(Terms memory t) private view {
        if (t.amount == 0) revert BadTerms("amount");
        if (_exceeds(t.fee, t.amount, FEE_CAP_BPS)) revert BadTerms("fee");
        if (_exceeds(t.arbiterFee, t.amount, ARBITER_FEE_CAP_BPS)) revert BadTerms("arbiterFee");
        if (t.fee != 0 && (t.feeTo == address(0) || t.feeTo == address(this))) revert BadTerms("feeTo");
    }

    function _checkTimes(Terms memory t) private view {
        if (t.payBy <= block.timestamp) revert BadTerms("payBy");
        if (t.resolveBy <= t.payBy) revert BadTerms("resolveBy");
        if (t.sunset <= t.resolveBy || t.sunset > block.timestamp + LONGEST_LIFE) revert BadTerms("sunset");
        if (t.sunsetBuyerBps < SUNSET_BUYER_FLOOR_BPS || t.sunsetBuyerBps > 10_000) {
            revert BadTerms("sunsetBuyerBps");
        }
    }

    function _requireInside(Terms memory t, OrderAuthority memory a) private view {
        if (a.owner != t.seller) revert OutsideAuthority("owner");
        if (a.token != t.token) revert OutsideAuthority("token");
        if (a.arbiter != t.arbiter) revert OutsideAuthority("arbiter");
        if (a.backupArbiter != t.backupArbiter) revert OutsideAuthority("backupArbiter");
        if (a.feeTo != t.feeTo) revert OutsideAuthority("feeTo");
        if (a.opener != address(0) && a.opener != msg.sender) revert OutsideAuthority("opener");
        if (t.amount < a.minPerTrade) revert OutsideAuthority("minPerTrade");
        if (t.amount > a.maxPerTrade) revert OutsideAuthority("maxPerTrade");
        if (_exceeds(t.fee, t.amount, a.maxFeeBps)) revert OutsideAuthority("maxFeeBps");
        if (_exceeds(t.arbiterFee, t.amount, a.maxArbiterFeeBps)) revert OutsideAuthority("maxArbiterFeeBps");
        _requireTimesInside(t, a);
    }

    function _requireTimesInside(Terms memory t, OrderAuthority memory a) private view {
        if (block.timestamp > a.deadline) revert DeadlinePassed(a.deadline);
        if (t.payBy > block.timestamp + a.payWindow) revert OutsideAuthority("payWindow");
        if (t.resolveBy != uint256(t.payBy) + a.resolveWindow) revert OutsideAuthority("resolveWindow");
        if (t.sunset != uint256(t.payBy) + a.sunsetWindow) revert OutsideAuthority("sunsetWindow");
        if (t.sunsetBuyerBps != a.sunsetBuyerBps) revert OutsideAuthority("sunsetBuyerBps");
    }

    function _use(bytes32 authorityHash, uint256 most, uint256 amount) private {
        uint256 used = usedOf[authorityHash];
        if (used > most || amount > most - used) revert OutsideAuthority("maxTotal");
        usedOf[authorityHash] = used + amount;
    }

    function _exceeds(uint256 fee, uint256 amount, uint256 bps) private pure returns (bool) {
        // All three are below 2^128.
        unchecked {
            return fee * 10_000 > amount * bps;
        }
    }
}
