"""The database fixture itself: clean for each test, one server a run."""

import pytest
from sqlalchemy import text

from portal.core.db import Database

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_each_test_gets_a_clean_database(database: Database, turn: int) -> None:
    with database.transaction() as session:
        session.execute(text("CREATE TABLE left_over (turn int)"))
        session.execute(text("INSERT INTO left_over VALUES (:turn)"), {"turn": turn})
    with database.reader() as session:
        assert session.scalars(text("SELECT turn FROM left_over")).all() == [turn]


def test_it_is_postgresql_18(database: Database) -> None:
    with database.reader() as session:
        assert int(session.scalar(text("SHOW server_version_num"))) >= 180000
