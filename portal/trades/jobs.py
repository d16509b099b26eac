"""Scheduled work on trades: asking compliance and fees of new ones, and running the clocks.

Both look at the trades as they stand, not at events: whatever failed is simply tried again.
"""

import structlog
from sqlalchemy import select

from portal.core.clock import Clock, now_ms
from portal.core.errors import InvalidInput, PortalError
from portal.core.jobs import JobContext
from portal.payments.clearing import clearing_command
from portal.trades.models import Trade
from portal.trades.rules import FEE_ROSE, State

_BATCH = 200
_log = structlog.get_logger("trades")


def run_clearing(context: JobContext) -> int:
    """Clear, hold or deny every newly matched trade; returns how many were answered."""
    with context.database.reader() as session:
        query = select(Trade).where(~Trade.closed, Trade.state == State.MATCHED)
        commands = [
            clearing_command(session, context.plugins, trade, context.settings.screening_threshold)
            for trade in session.scalars(query.order_by(Trade.id).limit(_BATCH))
        ]
    return sum(_clear(context, command) for command in commands)


def run_timers(context: JobContext, clock: Clock = now_ms) -> int:
    """Tell the engine about every clock that is over; returns how many trades moved."""
    with context.database.reader() as session:
        query = (
            select(Trade.id, Trade.deadline_ms)
            .where(~Trade.closed, Trade.deadline_ms <= clock())
            .order_by(Trade.deadline_ms)
            .limit(_BATCH)
        )
        due = session.execute(query).all()
    commands = [
        {"kind": "expire", "trade_id": trade_id, "key": f"expire:{trade_id}:{deadline}"}
        for trade_id, deadline in due
    ]
    return sum(_submit(context, command) for command in commands)


def _clear(context: JobContext, command: dict[str, object]) -> bool:
    """A fee above what a trader agreed to ends the trade instead of surprising them."""
    try:
        context.engine.submit(command)
    except InvalidInput as refusal:
        if refusal.field not in ("maker_fee", "taker_fee"):
            # One trade's odd answer must not keep the others from being cleared.
            _log.error("not cleared", trade=command["trade_id"], error=refusal.message)
            return False
        denial = {
            "kind": "clear_trade",
            "trade_id": command["trade_id"],
            "decision": "deny",
            "reason": FEE_ROSE,
        }
        return _submit(context, denial)
    except PortalError as error:
        _log.warning("not cleared", trade=command["trade_id"], error=error.message)
        return False
    return True


def _submit(context: JobContext, command: dict[str, object]) -> bool:
    try:
        context.engine.submit(command)
    except PortalError as error:
        _log.warning("refused", command=command["kind"], error=error.message)
        return False
    return True
