"""The markets' scheduled work."""

from functools import cache

from portal.core.jobs import JobContext
from portal.markets.feeds import PriceFeed
from portal.markets.pricing import sweep_all
from portal.markets.service import sync_engine


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
