"""The first screen: what needs me now, then how the day goes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import url_for
from sqlalchemy import func, select

from portal.backoffice import cells
from portal.backoffice.context import reader
from portal.backoffice.pages import Answer, DeskPage, route
from portal.backoffice.panels import Column, Shown, Table
from portal.core.clock import utc_now
from portal.engine.models import MarketState
from portal.escrow.chain.blocks import ChainEndpoint
from portal.escrow.models import ChainIntent
from portal.escrow.payouts.models import PayoutStop
from portal.escrow.payouts.stops import SAID, kind_of
from portal.markets.models import JobRun, Market
from portal.payments.models import StatementLine
from portal.trades.models import Dispute, Trade
from portal.trades.rules import State
from portal.trades.views import DONE
from portal.users.models import User

_RECENT_JOBS = timedelta(hours=1)


@dataclass(frozen=True)
class Card:
    """Something that waits: how many, what, why, and where to go."""

    count: int
    label: str
    because: Shown
    url: str
    tone: str


@dataclass(frozen=True)
class MarketRow:
    """A market and its day so far."""

    market: Market
    index_ticks: int | None
    reason: str | None
    priced_ms: int | None
    open_trades: int
    traded: int
    paid: int


class HomeView(DeskPage):
    """Counts with links, and the markets."""

    route_base = ""
    page_title = "Home"
    intro = "What needs you now."

    @route("/")
    def index(self) -> Answer:
        """Only what this person may look at is counted."""
        cards = [card for view, make in _CARDS if self._sees(view) for card in make()]
        return self.render(
            "backoffice/home.html",
            view=self,
            cards=[card for card in cards if card.count],
            markets=_markets_table() if self._sees("MarketView") else None,
        )

    def _sees(self, view: str) -> bool:
        return bool(self.appbuilder.sm.has_access("can_list", view))


def _count(query: object) -> int:
    return int(reader().scalar(query) or 0)  # type: ignore[call-overload]


def _many(count: int, name: str) -> str:
    return name if count == 1 else f"{name}s"


def _disputes() -> Sequence[Card]:
    row = reader().execute(
        select(func.count(), func.min(Dispute.opened_at)).where(Dispute.status == "open")
    )
    count, oldest = row.one()
    because = cells.joined("the oldest waits since ", cells.when(oldest)) if oldest else ""
    url = url_for("DisputeView.list")
    return (Card(count, _many(count, "open dispute"), because, url, "harm"),)


def _held() -> Sequence[Card]:
    count = _count(select(func.count()).where(Trade.state == State.HELD))
    because = "compliance asked for a person's decision"
    return (
        Card(
            count,
            _many(count, "held trade"),
            because,
            url_for("TradeView.list", tab="held"),
            "wait",
        ),
    )


def _statement_lines() -> Sequence[Card]:
    count = _count(select(func.count()).where(StatementLine.state == "manual"))
    because = "no trade could be found for them by itself"
    url = url_for("StatementLineView.list", tab="manual")
    return (Card(count, _many(count, "bank statement line"), because, url, "wait"),)


def _people() -> Sequence[Card]:
    waiting = (User.kind == "trader", User.kyc_tier == 0, User.totp_confirmed.is_not(None))
    count = _count(select(func.count()).select_from(User).where(*waiting))
    url = url_for("PersonView.list", tab="unchecked")
    return (
        Card(
            count,
            "person to check" if count == 1 else "people to check",
            "signed up, identity tier 0",
            url,
            "wait",
        ),
    )


def _intents() -> Sequence[Card]:
    failed = _count(select(func.count()).where(ChainIntent.status == "failed"))
    stuck = _count(select(func.count()).where(ChainIntent.alarm, ChainIntent.status != "failed"))
    why = "coins may be waiting"
    return (
        _intent_card(failed, "failed chain transaction", why, "failed"),
        _intent_card(stuck, "stuck chain transaction", why, "stuck"),
    )


def _intent_card(count: int, name: str, why: str, tab: str) -> Card:
    return Card(count, _many(count, name), why, url_for("ChainIntentView.list", tab=tab), "harm")


def _stops() -> Sequence[Card]:
    on = list(reader().scalars(select(PayoutStop).where(PayoutStop.lifted_at.is_(None))))
    causes = sorted({f"{stop.asset}: {SAID.get(kind_of(stop), stop.reason)}" for stop in on})
    url = url_for("PayoutStopView.list", tab="on")
    return (Card(len(on), _many(len(on), "payout stop"), "; ".join(causes), url, "harm"),)


def _endpoints() -> Sequence[Card]:
    count = _count(select(func.count()).where(ChainEndpoint.state != "ok"))
    url = url_for("ChainEndpointView.list", tab="unwell")
    because = "down, slow, late, outvoted or of another chain"
    return (Card(count, _many(count, "chain endpoint") + " not well", because, url, "wait"),)


def _jobs() -> Sequence[Card]:
    newest = (
        select(JobRun.job, func.max(JobRun.id).label("id"))
        .where(JobRun.started_at > utc_now() - _RECENT_JOBS)
        .group_by(JobRun.job)
        .subquery()
    )
    failed = reader().scalars(
        select(JobRun.job)
        .join(newest, newest.c.id == JobRun.id)
        .where(JobRun.outcome == "failed")
        .order_by(JobRun.job)
    )
    names = [name.replace("_", " ") for name in failed]
    url = url_for("JobRunView.list", tab="failed")
    return (Card(len(names), _many(len(names), "failing job"), ", ".join(names), url, "harm"),)


def _markets() -> Sequence[Card]:
    paused = reader().execute(
        select(Market.id, MarketState.index_reason)
        .join(MarketState, MarketState.market_id == Market.id)
        .where(MarketState.index_ticks.is_(None), func.jsonb_array_length(Market.sources) > 0)
        .order_by(Market.id)
    )
    halted = reader().scalars(select(Market.id).where(Market.status == "halted"))
    names = list(halted)
    return (
        *(
            Card(1, f"{name} paused", reason or "no price yet", _market_url(name), "wait")
            for name, reason in paused
        ),
        Card(
            len(names),
            _many(len(names), "halted market"),
            ", ".join(names),
            url_for("MarketView.list"),
            "wait",
        ),
    )


def _market_url(name: str) -> str:
    return url_for("MarketView.show", pk=name)


_CARDS: tuple[tuple[str, Callable[[], Sequence[Card]]], ...] = (
    ("DisputeView", _disputes),
    ("TradeView", _held),
    ("StatementLineView", _statement_lines),
    ("PersonView", _people),
    ("PayoutStopView", _stops),
    ("ChainIntentView", _intents),
    ("ChainEndpointView", _endpoints),
    ("JobRunView", _jobs),
    ("MarketView", _markets),
)


def _markets_table() -> Table:
    return Table(
        "Markets today",
        (
            Column("Market", lambda row: cells.link("MarketView", row.market.id, row.market.id)),
            Column("Price", lambda row: _feed(row), align="right"),
            Column("Priced", lambda row: cells.when(row.priced_ms)),
            Column("Open trades", lambda row: f"{row.open_trades:,}", align="right"),
            Column(
                "Completed today",
                lambda row: cells.money(row.traded, row.market.base),
                align="right",
            ),
            Column("For", lambda row: cells.money(row.paid, row.market.quote), align="right"),
        ),
        _market_rows(),
        "No markets yet. Make one under Markets.",
    )


def _feed(row: MarketRow) -> Shown:
    if row.market.status != "open":
        return cells.state("halted", tone="wait")
    if row.index_ticks is None:
        return cells.state("paused" if row.market.sources else "fixed prices only")
    return cells.price(row.index_ticks, row.market.id)


def _market_rows() -> list[MarketRow]:
    midnight = datetime.combine(utc_now().date(), datetime.min.time(), UTC)
    today = Trade.updated_ms >= int(midnight.timestamp() * 1000)
    completed = (Trade.state == State.COMPLETED) & today
    sums = {
        row.market_id: row
        for row in reader().execute(
            select(
                Trade.market_id,
                func.count().filter(~Trade.state.in_(DONE)).label("open"),
                func.coalesce(func.sum(Trade.quantity).filter(completed), 0).label("traded"),
                func.coalesce(func.sum(Trade.fiat_units).filter(completed), 0).label("paid"),
            )
            .where(today | ~Trade.state.in_(DONE))
            .group_by(Trade.market_id)
        )
    }
    states = {row.market_id: row for row in reader().scalars(select(MarketState))}
    return [
        _market_row(market, states.get(market.id), sums.get(market.id))
        for market in reader().scalars(select(Market).order_by(Market.id))
    ]


def _market_row(market: Market, state: MarketState | None, day: object) -> MarketRow:
    return MarketRow(
        market=market,
        index_ticks=state.index_ticks if state else None,
        reason=state.index_reason if state else None,
        priced_ms=state.index_at_ms if state else None,
        open_trades=int(getattr(day, "open", 0)),
        traded=int(getattr(day, "traded", 0)),
        paid=int(getattr(day, "paid", 0)),
    )
