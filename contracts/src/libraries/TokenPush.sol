// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title A payment that reports failure instead of reverting; token zero is the chain's own coin.
library TokenPush {
    /// @dev Several times what a USDT or USDC transfer takes; a token cannot burn more than this.
    uint256 internal constant TOKEN_GAS = 200_000;

    /// @dev A vault takes under 5,000, a Safe under 10,000; a payee cannot burn more than this.
    uint256 internal constant COIN_GAS = 50_000;

    /// @dev What the CALL itself may cost besides: a cold address, value, a new account.
    uint256 private constant CALL_GAS = 40_000;

    /// @notice The caller left too little gas for the payment to have a fair try.
    error GasTooLow();

    /// @notice Pays with bounded gas and at most 32 bytes of returned data.
    /// @dev Reverts when the caller left too little gas, so that nobody can make a push fail on purpose.
    /// @return done true if the payee was paid
    function tryPay(address token, address to, uint256 amount) internal returns (bool done) {
        uint256 limit = token == address(0) ? COIN_GAS : TOKEN_GAS;
        if ((gasleft() * 63) / 64 < limit + CALL_GAS) revert GasTooLow();
        return tryPayWith(limit, token, to, amount);
    }

    /// @notice The same with a limit of the caller's choice, for whoever pays the gas for their own payment.
    function tryPayWith(uint256 limit, address token, address to, uint256 amount) internal returns (bool) {
        return token == address(0) ? _send(limit, to, amount) : _transfer(limit, token, to, amount);
    }

    function _send(uint256 limit, address to, uint256 amount) private returns (bool done) {
        assembly ("memory-safe") {
            done := call(limit, to, amount, 0, 0, 0, 0)
        }
    }

    /// @dev Done if the token has code, did not revert and returned either nothing or `true`.
    function _transfer(uint256 limit, address token, address to, uint256 amount) private returns (bool done) {
        bytes32 selector = bytes32(IERC20.transfer.selector);
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 16), shl(96, to))
            mstore(add(data, 36), amount)
            mstore(0, 0)
            let ok := call(limit, token, 0, data, 68, 0, 32)
            switch returndatasize()
            case 0 { done := and(ok, gt(extcodesize(token), 0)) }
            default { done := and(ok, and(gt(returndatasize(), 31), eq(mload(0), 1))) }
        }
    }
}
