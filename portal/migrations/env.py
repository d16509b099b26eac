"""Alembic's entry: every wing's tables and Flask-AppBuilder's, one transaction."""

from alembic import context
from sqlalchemy import create_engine

from portal.core.db import sqlalchemy_url
from portal.migrations.tables import all_metadata


def run() -> None:
    """Run the migrations on the URL that the caller put into the configuration."""
    url = context.config.get_main_option("sqlalchemy.url")
    engine = create_engine(sqlalchemy_url(url or ""))
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=all_metadata())
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
