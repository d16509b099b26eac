"""The state machine: every state with every event, and the arithmetic of settling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import Conflict, Forbidden
from portal.trades.rules import TABLE, Actor, Event, State, next_state, payout

_S, _E = State, Event
_OTHERWISE = {
    _E.PAID_BUYER: _S.COMPLETED,
    _E.PAID_SELLER: _S.REFUNDED,
    _E.PAID_SPLIT: _S.RESOLVED_SPLIT,
}
# Written out by hand, apart from the table: what a newcomer would expect of each state.
EXPECTED: dict[State, dict[Event, State]] = {
    _S.MATCHED: {
        _E.CLEAR: _S.LOCKING,
        _E.HOLD: _S.HELD,
        _E.DENY: _S.CANCELLED,
        _E.CANCEL: _S.CANCELLED,
    },
    _S.HELD: {_E.CLEAR: _S.LOCKING, _E.DENY: _S.CANCELLED, _E.CANCEL: _S.CANCELLED},
    _S.LOCKING: {_E.LOCK: _S.ESCROW_LOCKED, _E.LOCK_FAILED: _S.CANCELLED},
    _S.ESCROW_LOCKED: {_E.ASK_PAYMENT: _S.AWAITING_PAYMENT},
    _S.AWAITING_PAYMENT: {
        _E.MARK_PAID: _S.PAID,
        _E.CANCEL: _S.CANCELLED,
        _E.EXPIRE: _S.EXPIRED,
    },
    _S.PAID: {
        _E.VERIFY: _S.VERIFIED,
        _E.RELEASE: _S.RELEASED,
        _E.CANCEL: _S.CANCELLED,
        _E.DISPUTE: _S.DISPUTED,
        _E.EXPIRE: _S.DISPUTED,
    },
    _S.VERIFIED: {
        _E.RELEASE: _S.RELEASED,
        _E.DISPUTE: _S.DISPUTED,
        _E.EXPIRE: _S.DISPUTED,
    },
    _S.DISPUTED: {
        _E.RELEASE: _S.RELEASED,
        _E.CANCEL: _S.CANCELLED,
        _E.RESOLVE_BUYER: _S.RESOLVED_BUYER,
        _E.RESOLVE_SELLER: _S.RESOLVED_SELLER,
        _E.RESOLVE_SPLIT: _S.RESOLVED_SPLIT,
    },
    _S.RELEASED: {_E.SETTLED: _S.COMPLETED, **_OTHERWISE},
    _S.CANCELLED: {_E.SETTLED: _S.REFUNDED, **_OTHERWISE},
    _S.EXPIRED: {_E.SETTLED: _S.REFUNDED, _E.DISPUTE: _S.DISPUTED, **_OTHERWISE},
    _S.RESOLVED_BUYER: {_E.SETTLED: _S.RESOLVED_BUYER, **_OTHERWISE},
    _S.RESOLVED_SELLER: {_E.SETTLED: _S.RESOLVED_SELLER, **_OTHERWISE},
    _S.RESOLVED_SPLIT: {_E.SETTLED: _S.RESOLVED_SPLIT, **_OTHERWISE},
    _S.COMPLETED: {},
    _S.REFUNDED: {},
}


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_every_state_with_every_event(state: State, event: Event) -> None:
    expected = EXPECTED[state].get(event)
    if expected is None:
        with pytest.raises(Conflict):
            next_state(state, event, Actor.SYSTEM)
        return
    for actor in Actor:
        if actor in TABLE[state, event].by:
            assert next_state(state, event, actor) is expected
        else:
            with pytest.raises(Forbidden):
                next_state(state, event, actor)


@pytest.mark.parametrize("state", [State.PAID, State.VERIFIED, State.DISPUTED])
def test_no_clock_and_no_seller_can_take_back_what_is_paid(state: State) -> None:
    back = {State.CANCELLED, State.EXPIRED, State.REFUNDED}
    for (came_from, _), move in TABLE.items():
        if came_from is state and move.next in back:
            assert move.by == {Actor.BUYER}


def test_only_the_seller_releases_and_only_staff_decides() -> None:
    for (_, event), move in TABLE.items():
        if event is Event.RELEASE:
            assert move.by == {Actor.SELLER}
        if event.name.startswith("RESOLVE"):
            assert move.by == {Actor.STAFF}


amounts = st.integers(min_value=1, max_value=2**62)


@given(escrow=amounts, fee_bps=st.integers(0, 500), share=st.integers(0, 10_000))
def test_a_payout_neither_loses_nor_makes_a_unit(escrow: int, fee_bps: int, share: int) -> None:
    fee, to_buyer = escrow * fee_bps // 10_000, escrow * share // 10_000
    parts = payout(escrow, fee, to_buyer)
    assert sum(parts) == escrow
    assert min(parts) >= 0
    assert parts[1] <= fee


def test_a_payout_beyond_the_escrow_is_refused() -> None:
    with pytest.raises(ValueError, match="not within"):
        payout(100, 1, 101)
