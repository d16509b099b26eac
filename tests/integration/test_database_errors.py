"""What a failing statement says: nothing of the values it was given."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portal.core.db import Database

pytestmark = pytest.mark.postgres


def test_an_error_does_not_repeat_the_values(database: Database) -> None:
    statement = text("SELECT :sealed FROM no_such_table")
    with pytest.raises(SQLAlchemyError) as failure, database.reader() as session:
        session.execute(statement, {"sealed": "a-sealed-secret"})
    assert "a-sealed-secret" not in str(failure.value)
