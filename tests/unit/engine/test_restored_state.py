"""A state read back from its rows goes on exactly as the one that never stopped."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core.errors import PortalError
from portal.engine.accounts import AccountState
from portal.engine.apply import apply
from portal.engine.commands import parse_command
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import order_from
from portal.trades.rules import TradeState
from tests.factories.engine import define_market, deposit
from tests.unit.engine.test_money_is_kept import PEOPLE, _choose, commands


def _restored(state: ShardState) -> ShardState:
    """From values as the tables hold them."""
    new = ShardState(state.name, state.number)
    new.seq, new.next_id, new.at_ms = state.seq, state.next_id, state.at_ms
    markets = [
        MarketInShard(
            m.terms, m.index_ticks, m.index_at_ms, m.index_reason, m.quote_id, m.index_until_ms
        )
        for m in state.markets.values()
    ]
    new.restore(
        markets=markets,
        orders=[order_from(order.as_dict()) for _, order in sorted(state.orders.items())],
        trades=[TradeState(**trade.as_dict()) for trade in state.trades.values()],
        accounts=[
            (key, AccountState(account.id, account.balance))
            for key, account in state.accounts.items()
        ],
    )
    return new


def _go(state: ShardState, command: dict[str, Any], at_ms: int) -> Any:
    if at_ms >= state.due_ms:
        apply(state, parse_command({"kind": "clock_tick"}), at_ms)
    try:
        return apply(state, parse_command(command), at_ms)
    except PortalError as refusal:
        return refusal.as_dict()


@settings(max_examples=100, deadline=None)
@given(history=st.lists(commands, min_size=20, max_size=60), stop=st.integers(5, 40))
def test_a_restored_state_gives_the_same_answers(history: list[dict[str, Any]], stop: int) -> None:
    state, restored, at_ms = ShardState("test"), None, 0
    for place, command in enumerate((define_market(), *map(deposit, PEOPLE), *history)):
        if place == stop:
            restored = _restored(state)
        chosen = _choose(state, command)
        if chosen is None:
            continue
        at_ms += 600_000
        answer = _go(state, chosen, at_ms)
        if restored is not None:
            assert _go(restored, chosen, at_ms) == answer
            assert restored.snapshot() == state.snapshot()
