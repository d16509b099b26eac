"""Fixtures that every test may ask for. A test that asks for none starts nothing."""

from collections.abc import Iterator

import pytest

from portal.core.db import Database
from portal.core.settings import Settings
from tests.services import postgres
from tests.services.chromium import chromium_path


def pytest_configure() -> None:
    postgres.begin_run()


def pytest_unconfigure() -> None:
    postgres.end_run()


@pytest.fixture(scope="session")
def worker_database() -> Iterator[postgres.WorkerDatabase]:
    """This worker's database on the run's PostgreSQL server."""
    database = postgres.WorkerDatabase()
    yield database
    database.drop()


@pytest.fixture
def database_url(worker_database: postgres.WorkerDatabase) -> str:
    """The URL of a database that holds the schema and what the migrations put in, no more."""
    return worker_database.remake()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A clean, migrated database."""
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Demo settings pointing at the test's clean database; nothing read from `.env`."""
    return Settings(
        _env_file=None, database_url=database_url, var_dir=tmp_path_factory.mktemp("var")
    )


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real Chromium. Fails, never skips, where there is none."""
    try:
        return chromium_path()
    except FileNotFoundError as missing:
        pytest.fail(str(missing))
