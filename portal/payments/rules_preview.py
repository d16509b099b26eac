"""Past trades under the compliance rules of another day: what would be allowed, held or denied."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.payments.facts import trade_facts
from portal.plugin_api import Decision, TradeFacts
from portal.trades.models import Trade

MOST_TRADES = 500


@dataclass(frozen=True, slots=True)
class Simulated:
    """One trade, and what the rules would say."""

    trade_id: int
    market: str
    decision: Decision


def newest_trades(session: Session) -> list[TradeFacts]:
    """The facts of the newest trades, newest first, at most 500, as of their match."""
    found = session.scalars(select(Trade).order_by(Trade.id.desc()).limit(MOST_TRADES)).all()
    return [trade_facts(session, trade) for trade in found]


def simulate(
    trades: Iterable[TradeFacts], day: date, check: Callable[[TradeFacts], Decision]
) -> list[Simulated]:
    """Every trade as if it had been matched at noon (UTC) of a day; people stay as they are."""
    noon = datetime.combine(day, time(12), UTC)
    return [
        Simulated(facts.trade_id, facts.market, check(replace(facts, at=noon))) for facts in trades
    ]
