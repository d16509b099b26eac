"""A fresh world for every test."""

from collections.abc import Iterator

import pytest

from portal.core.db import Database
from portal.core.settings import Settings
from tests.integration.payments.world import World


@pytest.fixture
def world(settings: Settings, database: Database) -> Iterator[World]:
    """Alice sells, Bob buys."""
    world = World(settings, database)
    yield world
    world.engine.close()
