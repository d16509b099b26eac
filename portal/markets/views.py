"""Markets, prices and jobs at the desk."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from markupsafe import Markup
from sqlalchemy import ColumnElement, select

from portal.audit.views import timeline_of
from portal.backoffice import cells
from portal.backoffice.context import reader
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Note, Panel, Shown, Table, Tone
from portal.core.clock import utc_now
from portal.engine.models import MarketState
from portal.markets.desk import MARKET_ACTS, NEW_MARKET
from portal.markets.models import JobRun, Market, Quote

_MOST = 20


def _index(market: Market) -> Shown:
    state = reader().get(MarketState, market.id)
    if state is None or state.index_ticks is None:
        return cells.state("paused", tone="wait")
    return cells.price(state.index_ticks, market.id)


class MarketView(RecordView):
    """What is traded, on which terms."""

    datamodel = SQLAInterface(Market)
    route_base = "/markets"
    page_title = "Markets"
    search_in = ("id",)
    search_hint = "Market"
    newest_first = "id"
    empty_title = "No markets yet"
    empty_text = "Make one: choose a coin, its money, the lot and how people pay."
    columns = (
        Column("Market", lambda market: market.id, sort="id"),
        Column("Status", lambda market: market_status(market), sort="status"),
        Column("Price", _index, align="right"),
        Column("Smallest", lambda row: cells.money(row.min_trade, row.base), align="right"),
        Column("Largest", lambda row: cells.money(row.max_trade, row.base), align="right"),
        Column("Escrow", lambda row: "on chain" if row.escrow == "evm" else "in the ledger"),
        Column("Paid by", lambda market: ", ".join(market.methods)),
        Column("Fees by", lambda market: market.fee_model),
    )
    acts = MARKET_ACTS
    desk_acts = (NEW_MARKET,)

    def title_of(self, record: Any) -> Shown:
        """The market's name."""
        return str(record.id)

    def status_of(self, record: Any) -> Shown:
        """Open, halted or in an auction."""
        return market_status(record)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Price, terms, sources, last quotes, changes."""
        state = reader().get(MarketState, record.id)
        paused = state is not None and state.index_ticks is None
        why = (
            [Note("Floating orders are paused", state.index_reason or "No price yet.", tone="wait")]
            if paused and state is not None
            else []
        )
        story = timeline_of("What staff changed", f"market:{record.id}")
        notes = (*_status_note(record), *why)
        return (*notes, _terms(record), _money(record, state), _quotes(record), story)


def market_status(market: Market) -> Shown:
    """Open, halted, or in an auction."""
    return cells.state(market.status, tone="done" if market.status == "open" else "wait")


def _status_note(market: Market) -> list[Note]:
    told = {
        "halted": ("This market is halted", "No new orders, no new trades."),
        "auction": (
            "This market is in an auction",
            "Orders are taken but not matched; opening it trades all that fit at one price.",
        ),
    }.get(market.status)
    return [Note(*told, tone="wait")] if told else []


def _terms(market: Market) -> Facts:
    return Facts(
        "Terms",
        (
            ("Lot", cells.money(market.lot, market.base)),
            ("Smallest trade", cells.money(market.min_trade, market.base)),
            ("Largest trade", cells.money(market.max_trade, market.base)),
            ("Price step", cells.price(1, market.id)),
            ("Time to pay", cells.duration(market.payment_seconds)),
            ("Time to release", cells.duration(market.release_seconds)),
            (
                "Settles",
                "at once, coin for coin" if market.settlement == "instant" else "by trades",
            ),
            ("Price protection", cells.percent_of_bps(market.protection_bps)),
            ("Price band", cells.percent_of_bps(market.band_bps) if market.band_bps else "none"),
            ("Shortest rest", f"{market.min_rest_ms} ms" if market.min_rest_ms else "none"),
            ("Open orders of one person", str(market.max_open_orders or "no limit")),
        ),
    )


def _money(market: Market, state: MarketState | None) -> Facts:
    return Facts(
        "Money",
        (
            ("Index price", cells.price(state.index_ticks if state else None, market.id)),
            ("Priced", cells.when(state.index_at_ms if state else None)),
            ("Escrow", "on chain" if market.escrow == "evm" else "in the ledger"),
            ("Paid by", ", ".join(market.methods)),
            ("Fees by", cells.text(market.fee_model)),
            ("Fees at most", cells.percent_of_bps(market.max_fee_bps)),
            ("Price sources", ", ".join(_source_names(market)) or "none: fixed prices only"),
            ("Version", str(market.version)),
        ),
    )


def _source_names(market: Market) -> list[str]:
    return [str(source.get("name") or source.get("exchange")) for source in market.sources]


_QUOTE_COLUMNS = (
    Column("Quote", lambda quote: cells.link("QuoteView", quote.id)),
    Column("When", lambda quote: cells.when(quote.at)),
    Column("Price", lambda row: cells.price(row.price_ticks, row.market_id), align="right"),
    Column("Sources used", lambda quote: sources_used(quote), align="right"),
    Column("Reason", lambda quote: cells.text(quote.reason), wide=True),
)


def _quotes(market: Market) -> Table:
    rows = reader().scalars(
        select(Quote).where(Quote.market_id == market.id).order_by(Quote.id.desc()).limit(_MOST)
    )
    return Table(f"Last {_MOST} quotes", _QUOTE_COLUMNS, list(rows), "No quote yet.")


def sources_used(quote: Quote) -> str:
    """How many of its sources went into a quote."""
    used = [source for source in quote.sources if source.get("used")]
    return f"{len(used)} of {len(quote.sources)}"


class QuoteView(RecordView):
    """Every price the portal stood behind, and from what."""

    datamodel = SQLAInterface(Quote)
    route_base = "/prices"
    page_title = "Prices"
    search_in = ("market_id", "reason")
    search_hint = "Quote number, market or reason"
    newest_first = "id"
    empty_title = "No prices yet"
    empty_text = "The price sweep asks the sources of every market. See Jobs if none appears."
    tabs = (
        Tab("all", "All"),
        Tab("good", "With a price", lambda: Quote.price_ticks.is_not(None)),
        Tab("bad", "Without", lambda: Quote.price_ticks.is_(None)),
    )
    columns = (
        Column("Quote", lambda quote: f"#{quote.id}", sort="id"),
        Column("Market", lambda quote: quote.market_id, sort="market_id"),
        Column("When", lambda quote: cells.when(quote.at), sort="at"),
        Column("Price", lambda row: cells.price(row.price_ticks, row.market_id), align="right"),
        Column("Sources used", sources_used, align="right"),
        Column("Reason", lambda quote: cells.text(quote.reason), wide=True),
    )

    def title_of(self, record: Any) -> Shown:
        """Number and market."""
        return f"Quote #{record.id} of {record.market_id}"

    def status_of(self, record: Any) -> Shown:
        """The price."""
        return cells.price(record.price_ticks, record.market_id)

    def panels(self, record: Any) -> Sequence[Panel]:
        """What every source said."""
        note = [Note("No usable price", record.reason, tone="wait")] if record.reason else []
        return (*note, quote_facts(record), quote_sources(record))


def quote_facts(quote: Quote) -> Facts:
    """The quote itself."""
    return Facts(
        "Quote",
        (
            ("Price", cells.price(quote.price_ticks, quote.market_id)),
            ("Made", cells.when(quote.at)),
            ("Oldest ticker used", cells.when(quote.observed_at)),
        ),
    )


def quote_sources(quote: Quote) -> Table:
    """Every source that went into a quote or was left out, with the reason."""
    return Table(
        "Sources",
        (
            Column("Source", lambda source: cells.text(source.get("name"))),
            Column("Price", lambda source: _decimal(source.get("price")), align="right"),
            Column("Used", lambda source: _used(source)),
            Column("Reason", lambda source: cells.text(source.get("reason")), wide=True),
        ),
        quote.sources,
        "This market has no price sources.",
    )


def _decimal(value: object) -> Shown:
    if value is None:
        return cells.NOTHING
    return Markup('<span class="number">{}</span>').format(str(value))


def _used(source: dict[str, Any]) -> Shown:
    return cells.state("used", tone="done") if source.get("used") else cells.state("left out")


class JobRunView(RecordView):
    """Scheduled work: when it ran and how it ended."""

    datamodel = SQLAInterface(JobRun)
    route_base = "/jobs"
    page_title = "Jobs"
    intro = "The scheduler runs these by itself. A failed run is tried again at its next turn."
    search_in = ("job", "message")
    search_hint = "Job or message"
    newest_first = "id"
    empty_title = "Nothing has run yet"
    empty_text = "The scheduler is not running: start `portal run` or `portal scheduler`."
    tabs = (
        Tab("all", "All"),
        Tab("failed", "Failed", lambda: _failed()),
    )
    columns = (
        Column("Run", lambda run: f"#{run.id}", sort="id"),
        Column("Job", lambda run: run.job.replace("_", " "), sort="job"),
        Column("Started", lambda run: cells.when(run.started_at), sort="started_at"),
        Column("Took", lambda run: _took(run), align="right"),
        Column("Outcome", lambda run: cells.state(run.outcome), sort="outcome"),
        Column("Message", lambda run: cells.text(run.message, limit=120), wide=True),
    )

    def title_of(self, record: Any) -> Shown:
        """The job's name and the run's number."""
        return f"{record.job.replace('_', ' ')} #{record.id}"

    def status_of(self, record: Any) -> Shown:
        """How it ended."""
        return cells.state(record.outcome)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Times and the whole message."""
        facts = Facts(
            "Run",
            (
                ("Started", cells.when(record.started_at)),
                ("Finished", cells.when(record.finished_at)),
                ("Took", _took(record)),
            ),
        )
        tone: Tone = "harm" if record.outcome == "failed" else "plain"
        return (facts, Note("Message", record.message or "None.", tone=tone))


def _failed() -> ColumnElement[bool]:
    return JobRun.outcome == "failed"


def _took(run: JobRun) -> str:
    seconds = ((run.finished_at or utc_now()) - run.started_at).total_seconds()
    return f"{seconds:.1f} s" if run.finished_at else f"{seconds:.0f} s so far"
