"""A fresh portal for every test."""

from collections.abc import Iterator

import pytest

from portal.core.db import Database
from portal.core.settings import Settings
from tests.integration.api.world import IBANS, Trader, World


@pytest.fixture
def world(settings: Settings, database: Database) -> Iterator[World]:
    """The portal behind its API."""
    world = World(settings, database)
    yield world
    world.close()


@pytest.fixture
def alice(world: World) -> Trader:
    """A seller with a wallet, a bank account and coins of both kinds."""
    person = world.outfit(world.trader("Alice"), IBANS[0])
    world.fund(person, "BTC", 10_000_000)
    world.fund(person, "USDT", 5_000_000_000)
    return person


@pytest.fixture
def bob(world: World) -> Trader:
    """A buyer with a wallet and a bank account."""
    return world.outfit(world.trader("Bob"), IBANS[1])
