"""How each command changes a shard: (state, command) → answer, with the effects in the state.

Pure and deterministic. A refused command raises a PortalError before it has changed anything.
"""

from collections.abc import Callable
from typing import Any

from portal.engine.apply import balances, clock, markets, orders, trades
from portal.engine.commands import AnyCommand
from portal.engine.state import ShardState

_HANDLERS: dict[str, Callable[[ShardState, Any], dict[str, Any]]] = {
    "define_market": markets.define,
    "index_tick": markets.tick,
    "clock_tick": clock.tick,
    "deposit": balances.deposit,
    "withdraw": balances.withdraw,
    "place_order": orders.place,
    "cancel_order": orders.cancel,
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
        answer = _HANDLERS[command.kind](state, command)
    except Exception:
        state.seq -= 1
        raise
    return {"seq": state.seq, **answer}
