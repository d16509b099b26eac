"""Telling the engine about proven payments, as soon as it can take them.

A line in state `verifying` is a promise kept in the database: a crash between import and engine
loses nothing, and the key makes telling twice harmless.
"""

import structlog
from sqlalchemy import select, update

from portal.audit.service import record
from portal.core.db import Database
from portal.core.errors import PortalError, Unavailable
from portal.core.jobs import Engine, JobContext
from portal.payments import rules
from portal.payments.models import StatementLine
from portal.trades.models import Trade

_BATCH = 500
_STILL_TO_BE_MARKED = ("escrow_locked", "awaiting_payment")
_log = structlog.get_logger(__name__)


def run_verifying(context: JobContext) -> int:
    """The scheduled job; returns how many trades were verified."""
    return verify_due(context.database, context.engine)


def verify_due(database: Database, engine: Engine) -> int:
    """Verify every trade whose payment is proven and which the buyer has marked as paid.

    A trade that is still to be marked waits; one that has moved on otherwise puts the line into
    the queue of the back office. An engine that can't be reached is asked again next time.
    """
    verified = 0
    for line_id, trade_id, staff, state, proof in _due(database):
        reference = payment_reference(line_id)
        if proof == reference:
            verified += _settle(database, line_id, "verified", None)
        elif state == "paid":
            outcome = _tell(engine, line_id, trade_id, staff)
            if outcome is None:
                break
            verified += _settle(database, line_id, *outcome)
        elif state not in rules.WAITING:
            words = state.replace("_", " ")
            reason = f"Trade {trade_id} is {words} by now: its payment could not be verified."
            _settle(database, line_id, "manual", reason)
    return verified


def payment_reference(line_id: int) -> str:
    """What a trade's `payment_proof` says when this line verified it."""
    return f"statement_line:{line_id}"


def _due(database: Database) -> list[tuple[int, int, int | None, str, str | None]]:
    query = (
        select(
            StatementLine.id,
            Trade.id,
            StatementLine.decided_by,
            Trade.state,
            Trade.payment_proof,
        )
        .join(Trade, Trade.id == StatementLine.trade_id)
        .where(StatementLine.state == "verifying", Trade.state.not_in(_STILL_TO_BE_MARKED))
        .order_by(StatementLine.id)
        .limit(_BATCH)
    )
    with database.reader() as session:
        return [(a, b, c, d, e) for a, b, c, d, e in session.execute(query)]


def _tell(
    engine: Engine, line_id: int, trade_id: int, staff: int | None
) -> tuple[str, str | None] | None:
    """The line's next state and reason; None when the engine did not answer."""
    command: dict[str, object] = {
        "kind": "verify_payment",
        "key": f"verify:{payment_reference(line_id)}:{staff or 'system'}",
        "trade_id": trade_id,
        "reference": payment_reference(line_id),
    }
    if staff is not None:
        command["actor"] = staff
    try:
        engine.submit(command)
    except Unavailable as error:
        _log.warning("engine not reached", trade=trade_id, error=error.message)
        return None
    except PortalError as error:
        return "manual", f"The engine refused it: {error.message}"[:500]
    return "verified", None


def _settle(database: Database, line_id: int, state: str, reason: str | None) -> bool:
    """Move a line on, unless another process just did; True when it is now verified."""
    with database.transaction() as session:
        moved = session.scalar(
            update(StatementLine)
            .where(StatementLine.id == line_id, StatementLine.state == "verifying")
            .values(state=state, reason=reason)
            .returning(StatementLine.trade_id)
        )
        if moved is None:
            return False
        change = {"trade": moved, "state": state, "reason": reason}
        record(session, "system", "payment.followed", f"statement_line:{line_id}", change)
    return state == "verified"
