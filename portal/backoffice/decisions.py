"""What staff decides about orders and trades, as commands to the engine.

Who may is decided by roles at the desk; whether the state allows it, by the engine. The engine
writes actor and reason of what happens to trades into the event log beside the effect; orders are
too many for that log, so what staff does to one is recorded here, beside the journal.
"""

from portal.audit.service import record
from portal.backoffice.context import Services
from portal.core.errors import Conflict, NotFound
from portal.payments.clearing import clearance_command
from portal.trades.models import Trade
from portal.trades.rules import State


def cancel_order(desk: Services, staff_id: int, order_id: int, reason: str) -> None:
    """Take an order out of the book; its owner reads the reason. Raises NotFound, Conflict."""
    command = {"kind": "cancel_order", "order_id": order_id, "actor": staff_id}
    desk.engine.submit({**command, "reason": reason[:500]})
    with desk.database.transaction() as session:
        told = {"reason": reason[:500]}
        record(session, f"user:{staff_id}", "order.cancelled_by_staff", f"order:{order_id}", told)


def clear_held(desk: Services, staff_id: int, trade_id: int) -> None:
    """Let a held trade go on, with today's fees. Raises NotFound, Conflict, Unavailable."""
    with desk.database.reader() as session:
        trade = _held(session.get(Trade, trade_id), trade_id)
        command = clearance_command(session, desk.plugins, trade, staff_id)
    desk.engine.submit(command)


def refuse_held(desk: Services, staff_id: int, trade_id: int, reason: str) -> None:
    """End a held trade; nothing was locked yet. Raises NotFound, Conflict."""
    with desk.database.reader() as session:
        _held(session.get(Trade, trade_id), trade_id)
    desk.engine.submit(
        {
            "kind": "clear_trade",
            "key": f"clear:{trade_id}:deny:staff",
            "trade_id": trade_id,
            "decision": "deny",
            "actor": staff_id,
            "reason": reason[:500],
        }
    )


def _held(trade: Trade | None, trade_id: int) -> Trade:
    if trade is None:
        raise NotFound("There is no such trade.", field="trade_id", value=trade_id)
    if trade.state != State.HELD:
        raise Conflict(
            f"Trade {trade_id} is {trade.state.replace('_', ' ')}, not held.", field="trade_id"
        )
    return trade
