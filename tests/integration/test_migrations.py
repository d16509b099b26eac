"""The schema that migrations make is the one the models describe."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from portal.core.db import Database
from portal.migrations.tables import all_metadata, is_described

pytestmark = pytest.mark.postgres


def test_migrations_and_models_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_described})
        differences = compare_metadata(context, all_metadata())
    assert differences == []
