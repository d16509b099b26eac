"""A replay server, a feed of real ccxt pointed at it, and markets to price."""

from collections.abc import Callable, Iterator

import pytest

from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.local import LocalEngine
from portal.markets.feeds import PriceFeed
from portal.markets.models import AssetRow, Market
from portal.markets.replay import ReplayServer
from portal.markets.service import sync_engine
from portal.markets.sources import demo_sources


@pytest.fixture
def engine(database: Database) -> Iterator[LocalEngine]:
    """The real engine, inside this process."""
    local = LocalEngine(database)
    yield local
    local.close()


@pytest.fixture
def replay() -> Iterator[ReplayServer]:
    server = ReplayServer().start()
    yield server
    server.stop()


@pytest.fixture
def make_feed(replay: ReplayServer) -> Iterator[Callable[..., PriceFeed]]:
    made: list[PriceFeed] = []

    def make(**options: object) -> PriceFeed:
        made.append(PriceFeed(**{"replay_url": replay.url, "timeout_ms": 2_000, **options}))
        return made[-1]

    yield make
    for feed in made:
        feed.close()


@pytest.fixture
def feed(make_feed: Callable[..., PriceFeed]) -> PriceFeed:
    return make_feed()


@pytest.fixture
def context(settings: Settings, database: Database, engine: LocalEngine) -> JobContext:
    with database.transaction() as session:
        for code, kind, places in (("USDT", "coin", 6), ("BTC", "coin", 8), ("EUR", "fiat", 2)):
            session.merge(AssetRow(code=code, name=code, kind=kind, places=places))
    return JobContext(settings, database, engine, None)


@pytest.fixture
def market(context: JobContext) -> str:
    """A market that the engine knows."""
    with context.database.transaction() as session:
        session.add(
            Market(
                id="USDT-EUR",
                base="USDT",
                quote="EUR",
                price_places=4,
                lot=10_000,
                min_trade=10_000_000,
                max_trade=5_000_000_000,
                escrow="evm",
                payment_seconds=1800,
                release_seconds=1800,
                fee_model="maker_taker",
                methods=["sepa"],
                sources=demo_sources("USDT-EUR"),
            )
        )
    sync_engine(context.database, context.engine)
    return "USDT-EUR"
