"""The price sweep: ask the sources, judge, store the quote, tell the engine.

A quote stays good for the staleness limit from its oldest ticker. While the last good one is
still good, a failed sweep changes nothing for orders; after that the engine gets an index tick
without a price, and floating orders pause with the reason. The last good price is then only shown.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import Clock, from_ms, now_ms
from portal.core.errors import NotFound, PortalError
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.models import MarketState
from portal.markets.feeds import Source
from portal.markets.models import Market, Quote
from portal.markets.quotes import Judgement, Policy, Reading, Verdict, judge
from portal.markets.sources import parse_sources

log = logging.getLogger(__name__)


class Feed(Protocol):
    """What a sweep asks: `portal.markets.feeds.PriceFeed`."""

    def read(self, sources: Sequence[Source]) -> dict[Source, Reading]:
        """One reading per source; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did for one market. `told` is the index tick sent, None when none was."""

    market_id: str
    quote_id: int
    judgement: Judgement
    told: dict[str, object] | None


def policy_of(settings: Settings) -> Policy:
    """The rules for quotes, from the settings."""
    return Policy(
        staleness_ms=settings.price_staleness_seconds * 1000,
        outlier_bps=settings.price_outlier_bps,
        min_sources=settings.price_min_sources,
    )


def sweep(context: JobContext, feed: Feed, market_id: str, *, clock: Clock = now_ms) -> Swept:
    """Price one market now. Raises NotFound for an unknown market, PortalError of the engine."""
    with context.database.reader() as session:
        market = session.get(Market, market_id)
    if market is None:
        raise NotFound("No such market.", field="market", value=market_id)
    sources = parse_sources(market.sources)
    return _price(context, market, sources, feed.read(sources), clock)


def sweep_all(context: JobContext, feed: Feed, *, clock: Clock = now_ms) -> str:
    """Price every market, each exchange asked once; returns one line.

    A market that fails does not stop the others; the line and the log name it.
    """
    with context.database.reader() as session:
        markets = session.scalars(select(Market).order_by(Market.id)).all()
    lines, sources = [], {}
    for market in markets:
        try:
            sources[market.id] = parse_sources(market.sources)
        except PortalError as error:
            lines.append(_failure(market.id, error))
    readings = feed.read([source for some in sources.values() for source in some])
    for market in markets:
        if market.id in sources:
            lines.append(_attempt(context, market, sources[market.id], readings, clock))
    return "; ".join(lines) or "no markets"


def _attempt(
    context: JobContext,
    market: Market,
    sources: Sequence[Source],
    readings: dict[Source, Reading],
    clock: Clock,
) -> str:
    try:
        judgement = _price(context, market, sources, readings, clock).judgement
    except PortalError as error:
        return _failure(market.id, error)
    if judgement.price_ticks is None:
        return f"{market.id}: {judgement.reason}"
    used = sum(verdict.used for verdict in judgement.verdicts)
    return f"{market.id}: {used} of {len(judgement.verdicts)} sources"


def _failure(market_id: str, error: PortalError) -> str:
    log.warning("price sweep of %s failed: %s", market_id, error.message)
    return f"{market_id}: failed: {error.message}"


def _price(
    context: JobContext,
    market: Market,
    sources: Sequence[Source],
    readings: dict[Source, Reading],
    clock: Clock,
) -> Swept:
    judgement = judge(
        [readings[source] for source in sources],
        policy_of(context.settings),
        price_places=market.price_places,
        now_ms=clock(),
    )
    with context.database.transaction() as session:
        quote_id = store(session, market.id, judgement)
        tick = _tick(session, context.settings, market.id, judgement, quote_id)
    if tick is not None:
        context.engine.submit(tick)
    return Swept(market.id, quote_id, judgement, tick)


def store(session: Session, market_id: str, judgement: Judgement) -> int:
    """Keep a quote with all its sources; returns its id."""
    observed = judgement.observed_ms
    quote = Quote(
        market_id=market_id,
        at=from_ms(judgement.at_ms),
        observed_at=None if observed is None else from_ms(observed),
        price_ticks=judgement.price_ticks,
        reason=judgement.reason,
        sources=verdict_rows(judgement.verdicts),
    )
    session.add(quote)
    session.flush()
    return quote.id


def verdict_rows(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """A quote's sources as JSON: exact price text, times in ms, used or why not."""
    return [
        {
            "name": verdict.reading.source,
            "price": None if verdict.reading.price is None else f"{verdict.reading.price:f}",
            "at_ms": verdict.reading.at_ms,
            "fetched_ms": verdict.reading.fetched_ms,
            "used": verdict.used,
            "reason": verdict.reason,
        }
        for verdict in verdicts
    ]


def _tick(
    session: Session, settings: Settings, market_id: str, judgement: Judgement, quote_id: int
) -> dict[str, object] | None:
    """The index tick this quote calls for: none while the last good price still holds."""
    if judgement.price_ticks is None and not _must_pause(session, settings, market_id, judgement):
        return None
    return {
        "kind": "index_tick",
        "market": market_id,
        "price": judgement.price_ticks,
        "reason": judgement.reason,
        "quote_id": quote_id,
        "good_until_ms": _good_until(settings, judgement),
    }


def _good_until(settings: Settings, judgement: Judgement) -> int | None:
    """Until when the engine may use the price: a dead feed must not leave it standing."""
    if judgement.observed_ms is None:
        return None
    return judgement.observed_ms + settings.price_staleness_seconds * 1000


def _must_pause(session: Session, settings: Settings, market_id: str, judgement: Judgement) -> bool:
    good = last_good(session, market_id)
    if good is not None and is_fresh(good, settings, judgement.at_ms):
        return False
    known = session.get(MarketState, market_id)
    # Saying again what the engine already knows would only grow its journal.
    return known is None or known.index_ticks is not None or known.index_reason != judgement.reason


def last_good(session: Session, market_id: str) -> Quote | None:
    """The newest quote with a price."""
    return session.scalar(
        select(Quote)
        .where(Quote.market_id == market_id, Quote.price_ticks.is_not(None))
        .order_by(Quote.at.desc())
        .limit(1)
    )


def latest(session: Session, market_id: str) -> Quote | None:
    """The newest quote, with or without a price."""
    return session.scalar(
        select(Quote).where(Quote.market_id == market_id).order_by(Quote.at.desc()).limit(1)
    )


def is_fresh(quote: Quote, settings: Settings, at_ms: int) -> bool:
    """Whether a quote's oldest ticker is within the staleness limit at this moment."""
    if quote.price_ticks is None or quote.observed_at is None:
        return False
    return from_ms(at_ms - settings.price_staleness_seconds * 1000) <= quote.observed_at
