// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IPermit2} from "../interfaces/IPermit2.sol";
import {TradeHash} from "../libraries/TradeHash.sol";
import {Openings} from "./Openings.sol";

/// @title Locking coins straight from a seller's own wallet.
/// @notice The seller agrees to exactly these terms, by calling or by a signature; an allowance alone
/// opens nothing. What returns goes to the seller's vault.
abstract contract WalletOpenings is Openings {
    using SafeERC20 for IERC20;

    /// @notice Uniswap's Permit2, at this address on most chains; where it is not, `openWithPermit2` reverts.
    IPermit2 public constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

    /// @dev Tells Permit2 how its struct goes on after the nonce and deadline; types in alphabetical order.
    string private constant WITNESS_TYPE = string(
        abi.encodePacked(
            "Terms witness)", TradeHash.TERMS_TYPE, "TokenPermissions(address token,uint256 amount)"
        )
    );

    /// @notice Locks coins that the seller has allowed this contract to take, or the value sent along.
    /// @param sellerSig seller's signature of `Open`; may be empty when the seller calls
    /// @return tradeId struct hash of `terms`
    function openFromWallet(Terms memory terms, bytes calldata sellerSig)
        external
        payable
        nonReentrant
        returns (bytes32 tradeId)
    {
        return _openFromWallet(terms, sellerSig);
    }

    /// @notice The same with an ERC-2612 permit of the exact amount.
    /// @dev A permit that fails is passed over: somebody may have used it already, and then the
    /// allowance is there; if it is not, the transfer fails.
    function openWithPermit(
        Terms memory terms,
        bytes calldata sellerSig,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant returns (bytes32 tradeId) {
        try IERC20Permit(terms.token).permit(terms.seller, address(this), terms.amount, permitDeadline, v, r, s) {}
            catch {}
        return _openFromWallet(terms, sellerSig);
    }

    /// @notice Locks coins by one Permit2 signature that names this contract as spender and the terms as
    /// witness. Anyone may relay it.
    /// @param nonce,deadline those of the seller's Permit2 signature; its permitted amount is the trade's
    function openWithPermit2(Terms memory terms, uint256 nonce, uint256 deadline, bytes calldata sellerSig)
        external
        nonReentrant
        returns (bytes32 tradeId)
    {
        tradeId = _begin(terms, bytes32(0));
        uint256 before = _balance(terms.token);
        PERMIT2.permitWitnessTransferFrom(
            IPermit2.PermitTransferFrom(IPermit2.TokenPermissions(terms.token, terms.amount), nonce, deadline),
            IPermit2.SignatureTransferDetails(address(this), terms.amount),
            terms.seller,
            tradeId,
            WITNESS_TYPE,
            sellerSig
        );
        _requireReceived(terms, before);
    }

    function _openFromWallet(Terms memory terms, bytes calldata sellerSig) private returns (bytes32 tradeId) {
        tradeId = _begin(terms, bytes32(0));
        _requireAct(terms.seller, TradeHash.act(TradeHash.OPEN, tradeId), sellerSig);
        uint256 due = terms.token == address(0) ? terms.amount : 0;
        if (msg.value != due) revert WrongValue(due, msg.value);
        if (due != 0) return tradeId;
        uint256 before = _balance(terms.token);
        IERC20(terms.token).safeTransferFrom(terms.seller, address(this), terms.amount);
        _requireReceived(terms, before);
    }
}
