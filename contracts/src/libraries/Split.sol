// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../interfaces/IEscrow.sol";

/// @title How an amount is divided, to the last unit.
library Split {
    /// @notice What each payee gets; the four add up to `Terms.amount`.
    struct Shares {
        uint128 buyer;
        uint128 seller;
        uint128 feeTo;
        uint128 arbiter;
    }

    /// @dev The fee is due on the buyer's share only. Both parties bear the arbiter's fee in proportion
    /// to their shares. Parts taken from the buyer are rounded down; the caps on fees (well below the
    /// amount together) keep every subtraction above zero.
    /// @param toBuyer gross share of the buyer, at most `t.amount`
    /// @param arbiterFee zero unless the decision pays the arbiter
    function shares(IEscrow.Terms memory t, uint128 toBuyer, uint128 arbiterFee)
        internal
        pure
        returns (Shares memory s)
    {
        uint128 arbiterFromBuyer = arbiterFee == 0 ? 0 : part(arbiterFee, toBuyer, t.amount);
        s.feeTo = part(t.fee, toBuyer, t.amount);
        s.arbiter = arbiterFee;
        s.buyer = toBuyer - s.feeTo - arbiterFromBuyer;
        s.seller = t.amount - toBuyer - (arbiterFee - arbiterFromBuyer);
    }

    /// @return `whole` × `numerator` ÷ `denominator`, rounded down; `numerator` is at most `denominator`
    function part(uint128 whole, uint256 numerator, uint256 denominator) internal pure returns (uint128) {
        unchecked {
            return uint128((uint256(whole) * numerator) / denominator);
        }
    }
}
