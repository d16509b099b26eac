"""Bringing a database to the present schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from portal.backoffice.permissions import sync_permissions
from portal.core.db import Database
from portal.core.settings import Settings


def upgrade_database(url: str) -> None:
    """Run every migration the database has not seen yet."""
    command.upgrade(configuration(url), "head")


def upgrade(settings: Settings) -> None:
    """`portal db upgrade`: the schema, then the back office's permissions and roles."""
    upgrade_database(settings.required_database_url)
    database = Database(settings.required_database_url, pool_size=1)
    sync_permissions(database)
    database.dispose()


def configuration(url: str) -> Config:
    """Alembic's configuration for a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
