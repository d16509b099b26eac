// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {IEscrowErrors} from "../../src/interfaces/IEscrowErrors.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";

/// @notice Every state × every event, with every signature and every deadline in order: what happens
/// depends on the state alone.
contract TradeStatesTest is EscrowTestBase, IEscrow {
    enum Event {
        Open,
        MarkPaid,
        Cancel,
        Expire,
        Settle,
        SettleBatch,
        SplitAtSunset
    }

    // ── NONE ──────────────────────────────────────────────────────────────────────────────

    function test_none_opened_is_open() public {
        moves(Status.NONE, Event.Open, Status.OPEN);
    }

    function test_none_cannot_be_marked_paid() public {
        refuses(Status.NONE, Event.MarkPaid);
    }

    function test_none_cannot_be_cancelled() public {
        refuses(Status.NONE, Event.Cancel);
    }

    function test_none_cannot_be_expired() public {
        refuses(Status.NONE, Event.Expire);
    }

    function test_none_cannot_be_settled() public {
        refuses(Status.NONE, Event.Settle);
    }

    function test_none_cannot_be_settled_in_a_batch() public {
        refuses(Status.NONE, Event.SettleBatch);
    }

    function test_none_cannot_be_split_at_sunset() public {
        refuses(Status.NONE, Event.SplitAtSunset);
    }

    // ── OPEN ──────────────────────────────────────────────────────────────────────────────

    function test_open_cannot_be_opened() public {
        refuses(Status.OPEN, Event.Open);
    }

    function test_open_marked_paid_is_paid() public {
        moves(Status.OPEN, Event.MarkPaid, Status.PAID);
    }

    function test_open_cancelled_is_closed() public {
        moves(Status.OPEN, Event.Cancel, Status.CLOSED);
    }

    function test_open_expired_is_closed() public {
        moves(Status.OPEN, Event.Expire, Status.CLOSED);
    }

    function test_open_settled_is_closed() public {
        moves(Status.OPEN, Event.Settle, Status.CLOSED);
    }

    function test_open_settled_in_a_batch_is_closed() public {
        moves(Status.OPEN, Event.SettleBatch, Status.CLOSED);
    }

    function test_open_cannot_be_split_at_sunset() public {
        refuses(Status.OPEN, Event.SplitAtSunset);
    }

    // ── PAID ──────────────────────────────────────────────────────────────────────────────

    function test_paid_cannot_be_opened() public {
        refuses(Status.PAID, Event.Open);
    }

    function test_paid_cannot_be_marked_paid() public {
        refuses(Status.PAID, Event.MarkPaid);
    }

    function test_paid_cancelled_is_closed() public {
        moves(Status.PAID, Event.Cancel, Status.CLOSED);
    }

    function test_paid_cannot_be_expired() public {
        refuses(Status.PAID, Event.Expire);
    }

    function test_paid_settled_is_closed() public {
        moves(Status.PAID, Event.Settle, Status.CLOSED);
    }

    function test_paid_settled_in_a_batch_is_closed() public {
        moves(Status.PAID, Event.SettleBatch, Status.CLOSED);
    }

    function test_paid_split_at_sunset_is_closed() public {
        moves(Status.PAID, Event.SplitAtSunset, Status.CLOSED);
    }

    // ── CLOSED ────────────────────────────────────────────────────────────────────────────

    function test_closed_cannot_be_opened() public {
        refuses(Status.CLOSED, Event.Open);
    }

    function test_closed_cannot_be_marked_paid() public {
        refuses(Status.CLOSED, Event.MarkPaid);
    }

    function test_closed_cannot_be_cancelled() public {
        refuses(Status.CLOSED, Event.Cancel);
    }

    function test_closed_cannot_be_expired() public {
        refuses(Status.CLOSED, Event.Expire);
    }

    function test_closed_cannot_be_settled() public {
        refuses(Status.CLOSED, Event.Settle);
    }

    function test_closed_cannot_be_settled_in_a_batch() public {
        refuses(Status.CLOSED, Event.SettleBatch);
    }

    function test_closed_cannot_be_split_at_sunset() public {
        refuses(Status.CLOSED, Event.SplitAtSunset);
    }

    // ── what happens ───────────────────────────────────────────────────────────────────────────

    function moves(Status from, Event what, Status to) private {
        (Terms memory t, uint256 held) = standing(from);
        (bool done,) = address(escrow).call(attempt(what, t));
        eq(done ? 1 : 0, 1, "refused");
        status(termsHash(t), to);
        eq(usdt.balanceOf(address(escrow)), to == Status.CLOSED ? 0 : AMOUNT, "escrow");
        eq(coins(), held, "coins");
    }

    function refuses(Status from, Event what) private {
        (Terms memory t, uint256 held) = standing(from);
        (bool done, bytes memory why) = address(escrow).call(attempt(what, t));
        eq(done ? 1 : 0, 0, "accepted");
        bytes memory wanted = what == Event.Open
            ? abi.encodeWithSelector(IEscrowErrors.AlreadyUsed.selector, termsHash(t))
            : abi.encodeWithSelector(IEscrowErrors.WrongStatus.selector, termsHash(t), from);
        eq(uint256(keccak256(why)), uint256(keccak256(wanted)), "reason");
        status(termsHash(t), from);
        eq(coins(), held, "coins");
    }

    function standing(Status wanted) private returns (Terms memory t, uint256 held) {
        t = someTerms();
        if (wanted != Status.NONE) open(t);
        if (wanted == Status.PAID) markPaid(t);
        if (wanted == Status.CLOSED) settleBySellerAndBuyer(t, t.amount / 2);
        status(termsHash(t), wanted);
        held = coins();
    }

    function attempt(Event what, Terms memory t) private returns (bytes memory) {
        if (what == Event.Open) {
            OrderAuthority memory a = someAuthority();
            return abi.encodeCall(escrow.open, (t, a, signAuthority(a)));
        }
        if (what == Event.MarkPaid) return abi.encodeCall(escrow.markPaid, (t, signMarkPaid(BUYER_KEY, t)));
        if (what == Event.Cancel) return abi.encodeCall(escrow.cancel, (t, signCancel(BUYER_KEY, t)));
        if (what == Event.Expire) {
            vm.warp(uint256(t.payBy) + 1);
            return abi.encodeCall(escrow.expire, (t));
        }
        if (what == Event.SplitAtSunset) {
            vm.warp(uint256(t.sunset) + 1);
            return abi.encodeCall(escrow.splitAtSunset, (t));
        }
        Settlement memory s = bySellerAndBuyer(t, decision(t.amount / 3));
        if (what == Event.Settle) {
            return abi.encodeCall(escrow.settle, (s.terms, s.decision, s.sellerSig, s.buyerSig, s.arbiterSig));
        }
        Settlement[] memory all = new Settlement[](1);
        all[0] = s;
        return abi.encodeCall(escrow.settleBatch, (all, false));
    }

    /// @dev All that there are in this small world.
    function coins() private view returns (uint256) {
        return usdt.balanceOf(address(escrow)) + usdt.balanceOf(sellerVault) + usdt.balanceOf(buyerVault)
            + usdt.balanceOf(feeTo);
    }
}
