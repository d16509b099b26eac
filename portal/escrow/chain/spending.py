"""Gas that was paid: per trade, per day, and the alarm when a day costs more than its budget.

Amounts are wei of the chain's own coin. A day is one of UTC, and a transaction counts on the day
the portal saw it mined; refused ones cost too.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import structlog
from sqlalchemy import Date, Numeric, cast, func, select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.audit.service import record
from portal.core.clock import utc_now
from portal.escrow.models import ChainAttempt, ChainIntent

log = structlog.get_logger(__name__)

OVER_BUDGET = "escrow.gas_over_budget"
_PRICE = func.coalesce(ChainAttempt.gas_price, ChainAttempt.max_fee)
# A product of two BIGINT may not fit one.
_WEI = func.coalesce(func.sum(cast(ChainAttempt.gas_used, Numeric(40, 0)) * _PRICE), 0)


@dataclass(frozen=True)
class DayOfGas:
    """What a day's transactions cost."""

    day: date
    transactions: int
    wei: int


def gas_of_trade(session: Session, trade_id: int) -> int:
    """Wei paid for a trade's transactions so far."""
    intents = select(ChainIntent.id).where(ChainIntent.trade_id == trade_id)
    spent = select(_WEI).where(ChainAttempt.intent_id.in_(intents))
    return int(session.scalar(spent) or 0)


def gas_of_intent(session: Session, intent_id: int) -> int:
    """Wei paid for one intent's transactions so far."""
    return int(session.scalar(select(_WEI).where(ChainAttempt.intent_id == intent_id)) or 0)


def gas_since(session: Session, start: datetime) -> int:
    """Wei paid for what was mined from `start` on."""
    return int(session.scalar(select(_WEI).where(ChainAttempt.mined_at >= start)) or 0)


def gas_by_day(session: Session, days: int) -> list[DayOfGas]:
    """The last days on which anything was mined, at most `days` back, newest first."""
    day = cast(func.timezone("UTC", ChainAttempt.mined_at), Date)
    rows = session.execute(
        select(day, func.count(), _WEI)
        .where(ChainAttempt.mined_at >= midnight() - timedelta(days=days - 1))
        .group_by(day)
        .order_by(day.desc())
    )
    return [DayOfGas(when, count, int(wei)) for when, count, wei in rows]


def midnight() -> datetime:
    """The beginning of today."""
    return datetime.combine(utc_now().date(), datetime.min.time(), UTC)


def alarm_over_budget(session: Session, budget: int) -> None:
    """Raise the alarm once a day when more than `budget` wei (0: no limit) was paid today."""
    if budget == 0:
        return
    session.flush()
    start = midnight()
    spent, subject = gas_since(session, start), f"gas:{start.date()}"
    if spent <= budget or _told(session, subject):
        return
    log.error(OVER_BUDGET, day=str(start.date()), wei=spent, budget=budget)
    record(session, "system", OVER_BUDGET, subject, {"wei": str(spent), "budget": str(budget)})


def _told(session: Session, subject: str) -> bool:
    return session.scalar(select(AuditEvent.seq).where(AuditEvent.subject == subject)) is not None
