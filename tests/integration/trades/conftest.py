"""What tests of trades on a real PostgreSQL begin with."""

from collections.abc import Iterator

import pytest

from portal.core.db import Database
from portal.core.settings import Settings
from tests.integration.payments.world import World


@pytest.fixture
def world(settings: Settings, database: Database) -> Iterator[World]:
    world = World(settings, database)
    yield world
    world.engine.close()
