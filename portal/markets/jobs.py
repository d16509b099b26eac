"""The markets' scheduled work."""

from datetime import timedelta
from functools import cache

from sqlalchemy import delete, exists, select

from portal.core.clock import utc_now
from portal.core.jobs import JobContext
from portal.markets.feeds import PriceFeed
from portal.markets.models import Quote
from portal.markets.pricing import sweep_all
from portal.markets.service import sync_engine
from portal.trades.models import Trade

QUOTE_DAYS = 30
PRUNED_AT_ONCE = 20_000


@cache
def _feed(replay_url: str | None) -> PriceFeed:
    """One feed a process: exchanges' pair lists are loaded once, rate limits are kept."""
    return PriceFeed(replay_url=replay_url)


def run_price_sweep(context: JobContext) -> str:
    """Ask every price source, store quotes, tick the engine's index."""
    return sweep_all(context, _feed(context.settings.price_replay_url))


def run_market_sync(context: JobContext) -> str:
    """Tell the engine again about markets whose terms it does not have."""
    told = sync_engine(context.database, context.engine)
    return f"told the engine about {', '.join(told)}" if told else "the engine knows all markets"


def run_quote_prune(context: JobContext) -> str:
    """Delete quotes older than 30 days, but never one that a trade refers to."""
    old = (
        select(Quote.id)
        .where(Quote.at < utc_now() - timedelta(days=QUOTE_DAYS))
        .where(~exists().where(Trade.quote_id == Quote.id))
        .limit(PRUNED_AT_ONCE)
    )
    with context.database.transaction() as session:
        gone = session.scalars(delete(Quote).where(Quote.id.in_(old)).returning(Quote.id)).all()
    return f"{len(gone)} old quotes forgotten"
