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
from portal.engine.commands import (
    AmendOrder,
    AnyCommand,
    CancelAll,
    CancelOrder,
    CancelTrade,
    ClearTrade,
    ClockTick,
    DefineMarket,
    Deposit,
    EscrowLocked,
    Expire,
    IndexTick,
    LockFailed,
    MarkPaid,
    MassQuote,
    OpenDispute,
    PauseOrder,
    PlaceOrder,
    Release,
    Resolve,
    SetAway,
    Settled,
    VerifyPayment,
    Withdraw,
)
from portal.engine.state import ShardState

_HANDLERS: dict[type[Any], Callable[[ShardState, Any], dict[str, Any]]] = {
    DefineMarket: markets.define,
    IndexTick: markets.tick,
    ClockTick: clock.tick,
    Deposit: balances.deposit,
    Withdraw: balances.withdraw,
    MassQuote: amending.mass_quote,
    AmendOrder: amending.amend,
    PauseOrder: amending.pause,
    SetAway: amending.set_away,
    CancelOrder: orders.cancel,
    CancelAll: amending.cancel_all,
    ClearTrade: trades.clear,
    EscrowLocked: trades.escrow_locked,
    LockFailed: trades.lock_failed,
    MarkPaid: trades.mark_paid,
    VerifyPayment: trades.verify_payment,
    Release: trades.release,
    CancelTrade: trades.cancel,
    Expire: trades.expire,
    OpenDispute: trades.dispute,
    Resolve: trades.resolve,
    Settled: trades.settled,
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
    return {"seq": state.seq, **_HANDLERS[type(command)](state, command)}
