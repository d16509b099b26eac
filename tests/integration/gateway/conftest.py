"""One engine and one gateway for the tests of a module."""

from collections.abc import Iterator

import pytest

from portal.core.db import Database
from portal.core.settings import Settings
from tests.integration.gateway.world import GatewayWorld
from tests.services.postgres import WorkerDatabase


@pytest.fixture(scope="module")
def world(
    worker_database: WorkerDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayWorld]:
    """The portal with both doors."""
    url = worker_database.remake()
    settings = Settings(_env_file=None, database_url=url, var_dir=tmp_path_factory.mktemp("var"))
    database = Database(url)
    world = GatewayWorld(settings, database)
    yield world
    world.close()
    database.dispose()
