"""Bringing a database to the present schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from portal.backoffice import permissions
from portal.core.settings import Settings


def upgrade_database(url: str) -> None:
    """Run every migration the database has not seen yet."""
    command.upgrade(configuration(url), "head")


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
