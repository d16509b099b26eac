// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A token transfer that reports failure instead of reverting.
library TokenPush {
    /// @dev Several times what a USDT or USDC transfer takes; a token cannot burn more than this.
    uint256 internal constant GAS = 200_000;

    error GasTooLow();

    /// @notice Transfers with bounded gas and at most 32 bytes of returned data.
    /// @dev Reverts when the caller left too little gas, so that nobody can make a push fail on purpose.
    /// @return done true if the token did not revert and returned either nothing or `true`
    function tryTransfer(address token, address to, uint256 amount) internal returns (bool done) {
        if ((gasleft() * 63) / 64 < GAS + 5_000) revert GasTooLow();
        bytes memory data = abi.encodeWithSignature("transfer(address,uint256)", to, amount);
        uint256 gasLimit = GAS;
        assembly ("memory-safe") {
            mstore(0, 0)
            let ok := call(gasLimit, token, 0, add(data, 32), mload(data), 0, 32)
            switch returndatasize()
            case 0 { done := and(ok, gt(extcodesize(token), 0)) }
            default { done := and(ok, and(gt(returndatasize(), 31), eq(mload(0), 1))) }
        }
    }
}
