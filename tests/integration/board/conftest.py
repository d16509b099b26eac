"""An engine with a market and people who have coins, and a connection that follows it."""

from collections.abc import Iterator

import pytest

from portal.board import following
from portal.core.db import Database
from portal.engine.connection import Connection
from portal.engine.local import LocalEngine
from tests.factories.engine import USDT, define_market, deposit
from tests.integration.board.history import PEOPLE


@pytest.fixture
def clock() -> list[int]:
    """The engine's time: one number, to be moved."""
    return [1_790_000_000_000]


@pytest.fixture
def engine(database: Database, clock: list[int]) -> Iterator[LocalEngine]:
    """USDT-EUR is open at 0.92, and everybody has a million."""
    engine = LocalEngine(database, clock=lambda: clock[0])
    engine.submit(define_market())
    engine.submit({"kind": "index_tick", "market": "USDT-EUR", "price": 9200})
    for person in PEOPLE:
        engine.submit(deposit(person, 10**6 * USDT))
    yield engine
    engine.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """For following."""
    url = database.engine.url.render_as_string(hide_password=False)
    with following.open_connection(url) as connection:
        yield connection
