// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TokenPush} from "../libraries/TokenPush.sol";
import {TradeHash} from "../libraries/TradeHash.sol";
import {Consent} from "./Consent.sol";
import {Vaults} from "./Vaults.sol";

/// @title Paying out, and what becomes of a payment that its payee could not take.
abstract contract Payouts is Consent, Vaults {
    /// @notice Payouts that could not be delivered, waiting for `withdrawCredit` or `redirectCredit`.
    mapping(address token => mapping(address to => uint256)) public credit;

    /// @notice Nonces of the redirections that a signer has ordered.
    mapping(address signer => mapping(uint256 nonce => bool)) public redirectNonceUsed;

    /// @notice Delivers payouts that failed earlier. Anyone may call; only `to` is paid.
    /// @dev Passes on all gas: a token too dear for the push is paid here.
    function withdrawCredit(address token, address to) external nonReentrant {
        uint256 amount = credit[token][to];
        if (amount == 0) revert NoCredit();
        credit[token][to] = 0;
        if (!TokenPush.tryPayWith(gasleft(), token, to, amount)) revert TransferRefused(token, to);
        emit CreditWithdrawn(token, to, amount);
    }

    /// @notice Pays a credit to another address, on the order of whom it belongs to: for a payee that the
    /// token will not pay.
    /// @param owner the creditor itself, or the trader whose vault the creditor is
    /// @param ownerSig owner's signature of `Redirect`; may be empty when the owner calls
    function redirectCredit(Redirect calldata order, address owner, bytes calldata ownerSig) external nonReentrant {
        if (block.timestamp > order.deadline) revert DeadlinePassed(order.deadline);
        if (order.creditor != owner && order.creditor != vaultOf(owner)) revert BadTerms("creditor");
        if (order.to == address(0) || order.to == address(this)) revert BadTerms("to");
        _requireAct(owner, TradeHash.redirect(order), ownerSig);
        if (redirectNonceUsed[owner][order.nonce]) revert NonceUsed(order.nonce);
        redirectNonceUsed[owner][order.nonce] = true;
        uint256 owed = credit[order.token][order.creditor];
        if (order.amount == 0 || order.amount > owed) revert NoCredit();
        credit[order.token][order.creditor] = owed - order.amount;
        bool done = TokenPush.tryPayWith(gasleft(), order.token, order.to, order.amount);
        if (!done) revert TransferRefused(order.token, order.to);
        emit CreditRedirected(order.token, order.creditor, order.to, order.amount);
    }

    /// @dev A payee that cannot be paid gets a credit, so that it never blocks the others.
    function _pay(address token, address to, uint256 amount) internal {
        if (amount == 0 || TokenPush.tryPay(token, to, amount)) return;
        credit[token][to] += amount;
        emit Credited(token, to, amount);
    }
}
