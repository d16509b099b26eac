"""Bringing a database to the present schema."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config

from portal.backoffice import permissions
from portal.core.clock import now_ms
from portal.core.db import libpq_url
from portal.core.settings import Settings
from portal.engine import ids, partitions
from portal.engine.maintenance import DAYS_AHEAD


def upgrade_database(url: str) -> None:
    """Run every migration the database has not seen yet, and make room for the next days."""
    command.upgrade(configuration(url), "head")
    today = ids.day_of(now_ms())
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        for (number,) in connection.execute("SELECT number FROM shard UNION SELECT 0").fetchall():
            partitions.ensure(connection, number, *range(today, today + DAYS_AHEAD))


def upgrade(settings: Settings) -> None:
    """`portal db upgrade`: the schema, then the back office's permissions and roles."""
    upgrade_database(settings.required_database_url)
    permissions.sync(settings)


def configuration(url: str) -> Config:
    """Alembic's configuration for a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
