"""How each command changes a shard: (state, command) → answer, with the effects in the state.

Pure and deterministic. A refused command raises a PortalError before it has changed anything.
"""

from collections.abc import Callable
from typing import Any

from portal.engine.apply import (
    amending,
    balances,
    clock,
    entering,
    markets,
    orders,
    trades,
)
from portal.engine.commands import AnyCommand, PlaceOrder
from portal.engine.state import ShardState

_HANDLERS: dict[str, Callable[[ShardState, Any], dict[str, Any]]] = {
    "define_market": markets.define,
    "index_tick": markets.tick,
    "clock_tick": clock.tick,
    "deposit": balances.deposit,
    "withdraw": balances.withdraw,
    "mass_quote": amending.mass_quote,
    "amend_order": amending.amend,
    "pause_order": amending.pause,
    "set_away": amending.set_away,
    "cancel_order": orders.cancel,
    "cancel_all": amending.cancel_all,
    "clear_trade": trades.clear,
    "escrow_locked": trades.escrow_locked,
    "lock_failed": trades.lock_failed,
    "mark_paid": trades.mark_paid,
    "verify_payment": trades.verify_payment,
    "release": trades.release,
    "cancel_trade": trades.cancel,
    "expire": trades.expire,
    "dispute": trades.dispute,
    "resolve": trades.resolve,
    "settled": trades.settled,
}


def apply(state: ShardState, command: AnyCommand, at_ms: int) -> dict[str, Any]:
    """Apply one command at a time given from outside; returns its answer.

    Raises PortalError when it is refused; then nothing changed.
    """
    state.at_ms = at_ms
    state.seq += 1
    try:
        answer = _answer(state, command)
    except Exception:
        state.seq -= 1
        raise
    if state.moved_under:
        entering.follow_balances(state)
    return answer


def _answer(state: ShardState, command: AnyCommand) -> dict[str, Any]:
    if isinstance(command, PlaceOrder):  # Nearly every command: without detours.
        order, made = orders.place(state, command)
        return {"seq": state.seq, "order_id": order.id, "status": order.status, "trades": made}
    return {"seq": state.seq, **_HANDLERS[command.kind](state, command)}
