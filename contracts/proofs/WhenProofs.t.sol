// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {ProofBase} from "./ProofBase.sol";

/// @notice When a trade can move, how often it ends, and that it always can.
contract WhenProofs is ProofBase {
    // ── no timeout before its deadline ─────────────────────────────────────────────────────────

    function check_nothing_expires_before_payBy(address caller, uint40 time) public {
        vm.assume(time <= PAY_BY);
        assert(!act(caller, time, expiry()));
    }

    function twin_nothing_expires_before_payBy(address caller, uint40 time) public {
        assert(!act(caller, time, expiry()));
    }

    function check_a_paid_trade_never_expires(address caller, uint40 time) public {
        pay();
        assert(!act(caller, time, expiry()));
    }

    function twin_a_paid_trade_never_expires(address caller, uint40 time) public {
        assert(!act(caller, time, expiry()));
    }

    function check_no_split_before_the_sunset(address caller, uint40 time) public {
        vm.assume(time <= SUNSET);
        pay();
        assert(!act(caller, time, split()));
    }

    function twin_no_split_before_the_sunset(address caller, uint40 time) public {
        pay();
        assert(!act(caller, time, split()));
    }

    function check_an_unpaid_trade_is_never_split(address caller, uint40 time) public {
        assert(!act(caller, time, split()));
    }

    function twin_an_unpaid_trade_is_never_split(address caller, uint40 time) public {
        pay();
        assert(!act(caller, time, split()));
    }

    function check_nothing_is_marked_paid_after_payBy(uint40 time) public {
        vm.assume(time > PAY_BY);
        assert(!act(address(buyer), time, abi.encodeCall(escrow.markPaid, (someTerms(), ""))));
    }

    function twin_nothing_is_marked_paid_after_payBy(uint40 time) public {
        assert(!act(address(buyer), time, abi.encodeCall(escrow.markPaid, (someTerms(), ""))));
    }

    function check_no_decision_after_its_deadline(uint40 deadline, uint40 time, uint128 toBuyer) public {
        vm.assume(time > deadline);
        assert(!decided(deadline, time, toBuyer));
    }

    function twin_no_decision_after_its_deadline(uint40 deadline, uint40 time, uint128 toBuyer) public {
        assert(!decided(deadline, time, toBuyer));
    }

    // ── no double exit ─────────────────────────────────────────────────────────────────────────

    function check_no_double_exit(uint8 first, uint8 second, bool paid, address caller, uint40 time) public {
        bool closed = firstAct(first, paid);
        vm.assume(closed);
        assert(!everybodyTries(second, caller, time));
    }

    function twin_no_double_exit(uint8 first, uint8 second, bool paid, address caller, uint40 time) public {
        firstAct(first, paid);
        assert(!everybodyTries(second, caller, time));
    }

    function check_a_closed_trade_never_reopens(uint8 first, bool paid, address caller, uint40 time) public {
        bool closed = firstAct(first, paid);
        vm.assume(closed);
        act(caller, time, abi.encodeCall(escrow.open, (someTerms(), someAuthority(), YES)));
        assert(is_(IEscrow.Status.CLOSED));
    }

    function twin_a_closed_trade_never_reopens(uint8 first, bool paid, address caller, uint40 time) public {
        firstAct(first, paid);
        act(caller, time, abi.encodeCall(escrow.open, (someTerms(), someAuthority(), YES)));
        assert(is_(IEscrow.Status.CLOSED));
    }

    // ── every state has an exit ────────────────────────────────────────────────────────────────

    /// @dev Whoever calls, whatever the token refuses to deliver, once the sunset has passed.
    function check_every_live_trade_ends_by_time(bool paid, address caller, uint40 time, bool[3] memory barred)
        public
    {
        vm.assume(time > SUNSET);
        assert(endedByTime(paid, caller, time, barred));
    }

    function twin_every_live_trade_ends_by_time(bool paid, address caller, uint40 time, bool[3] memory barred)
        public
    {
        assert(endedByTime(paid, caller, time, barred));
    }

    function check_the_buyer_can_always_give_up(bool paid, uint40 time, bool[3] memory barred) public {
        if (paid) pay();
        bar(barred);
        assert(act(address(buyer), time, abi.encodeCall(escrow.cancel, (someTerms(), ""))));
    }

    function twin_the_buyer_can_always_give_up(bool paid, uint40 time, bool[3] memory barred) public {
        if (paid) pay();
        bar(barred);
        assert(act(address(seller), time, abi.encodeCall(escrow.cancel, (someTerms(), ""))));
    }

    function check_two_who_agree_can_always_settle(uint8 silent, bool paid, uint8 which, uint40 time) public {
        vm.assume(which < 3);
        assert(settledByTwo(silent, paid, portion(which), time));
    }

    function twin_two_who_agree_can_always_settle(uint8 silent, bool paid, uint8 which, uint40 time) public {
        assert(settledByTwo(silent, paid, portion(which), time));
    }

    // ── what happens ───────────────────────────────────────────────────────────────────────────

    function act(address caller, uint40 time, bytes memory data) private returns (bool) {
        vm.warp(time);
        return call(caller, data);
    }

    function expiry() private view returns (bytes memory) {
        return abi.encodeCall(escrow.expire, (someTerms()));
    }

    function split() private view returns (bytes memory) {
        return abi.encodeCall(escrow.splitAtSunset, (someTerms()));
    }

    function allAgree() private {
        seller.set(true);
        buyer.set(true);
        arbiter.set(true);
        backup.set(true);
    }

    function decided(uint40 deadline, uint40 time, uint128 toBuyer) private returns (bool) {
        allAgree();
        vm.warp(time);
        return settleAs(address(this), IEscrow.Decision(toBuyer, false, deadline), true, true, false);
    }

    function settledByTwo(uint8 silent, bool paid, uint128 toBuyer, uint40 time) private returns (bool) {
        if (paid) pay();
        allAgree();
        vm.warp(time);
        return settleAs(address(this), decision(toBuyer, false), silent != 0, silent != 1, silent == 0 || silent == 1);
    }

    /// @return closed whether the trade is at its end
    function firstAct(uint8 first, bool paid) private returns (bool closed) {
        if (paid) pay();
        allAgree();
        if (first == 0) act(address(buyer), NOW, abi.encodeCall(escrow.cancel, (someTerms(), "")));
        else if (first == 1) act(address(this), PAY_BY + 1, expiry());
        else if (first == 2) act(address(this), SUNSET + 1, split());
        else settleAs(address(this), decision(AMOUNT / 3, true), false, true, true);
        return is_(IEscrow.Status.CLOSED);
    }

    function everybodyTries(uint8 second, address caller, uint40 time) private returns (bool) {
        if (second == 0) return act(caller, time, abi.encodeCall(escrow.cancel, (someTerms(), YES)));
        if (second == 1) return act(caller, time, expiry());
        if (second == 2) return act(caller, time, split());
        if (second == 3) return act(caller, time, abi.encodeCall(escrow.markPaid, (someTerms(), YES)));
        vm.warp(time);
        return settleAs(caller, decision(AMOUNT, false), true, true, false);
    }

    function endedByTime(bool paid, address caller, uint40 time, bool[3] memory barred) private returns (bool) {
        if (paid) pay();
        bar(barred);
        return act(caller, time, paid ? split() : expiry()) && is_(IEscrow.Status.CLOSED);
    }

    function bar(bool[3] memory barred) private {
        token.bar(sellerVault, barred[0]);
        token.bar(buyerVault, barred[1]);
        token.bar(FEE_TO, barred[2]);
    }
}
