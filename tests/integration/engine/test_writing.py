"""Sending batches to a real PostgreSQL: all of one or nothing, whatever fails in between."""

from typing import Any

import psycopg
import pytest

from portal.engine import store
from portal.engine.commands import encode_command
from portal.engine.connection import Identity, connect
from portal.engine.sequencer import Sequencer
from portal.engine.store import Fenced, SealedBatch
from portal.engine.writing import BatchWriter
from tests.factories.engine import place_order

pytestmark = pytest.mark.postgres


@pytest.fixture
def connection(database_url: str) -> Any:
    with connect(database_url, Identity("a test")) as connection:
        yield connection


@pytest.fixture
def batch(sequencer: Sequencer) -> SealedBatch:
    """Two orders, sealed and not written."""
    for command in (place_order(key="a"), place_order(key="b")):
        sequencer.add([encode_command(command)])
    sealed = sequencer.seal()
    assert sealed is not None
    return sealed


def rows(connection: store.Connection) -> tuple[int, int, int]:
    """How many orders, keys and journal rows there are."""
    found = connection.execute(
        'SELECT (SELECT count(*) FROM "order"), (SELECT count(*) FROM command_key),'
        " (SELECT count(*) FROM journal)"
    ).fetchone()
    assert found is not None
    return found


def spoilt(batch: SealedBatch, **changes: Any) -> SealedBatch:
    fields = {name: getattr(batch, name) for name in SealedBatch.__dataclass_fields__}
    return SealedBatch(**(fields | changes))


def test_a_batch_is_written_whole(connection: store.Connection, batch: SealedBatch) -> None:
    orders, keys, journal = rows(connection)
    BatchWriter(connection, "main").write(batch)
    assert rows(connection) == (orders + 2, keys + 2, journal + 1)
    assert connection.info.transaction_status.name == "IDLE"


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        ("statements", ("SELECT 1 / %s::int8", (0,))),
        ("statements", ("SELECT nothing", ())),
        ("copies", ('COPY "order" (id) FROM STDIN', b"not a number\n")),
        ("copies", ("COPY nowhere (id) FROM STDIN", b"1\n")),
        ("copies", ('COPY "order" (id) FROM STDIN', b"1\n" * 400_000)),
    ],
    ids=["a statement", "no such column", "a row", "no such table", "many bytes"],
)
def test_a_batch_that_fails_anywhere_leaves_nothing_and_the_next_one_is_written(
    connection: store.Connection, batch: SealedBatch, part: str, broken: Any
) -> None:
    before = rows(connection)
    writer = BatchWriter(connection, "main")
    for where in (0, len(getattr(batch, part))):
        parts = list(getattr(batch, part))
        parts.insert(where, broken)
        with pytest.raises(psycopg.DatabaseError):
            writer.write(spoilt(batch, **{part: parts}))
        assert rows(connection) == before
    writer.write(batch)
    assert rows(connection)[0] == before[0] + 2


def test_a_head_that_moved_stops_the_batch(
    connection: store.Connection, batch: SealedBatch
) -> None:
    before = rows(connection)
    writer = BatchWriter(connection, "main")
    writer.write(batch)
    with pytest.raises(Fenced):
        writer.write(batch)
    assert rows(connection) == (before[0] + 2, before[1] + 2, before[2] + 1)


def test_standbys_that_are_not_waited_for_stop_the_batch(
    connection: store.Connection, batch: SealedBatch
) -> None:
    with pytest.raises(Fenced):
        BatchWriter(connection, "main", "somewhere").write(batch)


def test_a_connection_that_dies_is_an_operational_error(
    connection: store.Connection, batch: SealedBatch, database_url: str
) -> None:
    writer = BatchWriter(connection, "main")
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        writer.write(batch)
    assert connection.closed


def test_a_warning_of_the_commit_reaches_whoever_watches(
    connection: store.Connection, batch: SealedBatch
) -> None:
    told: list[str | None] = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary))
    warning = "DO $$ BEGIN RAISE WARNING 'look'; END $$"
    BatchWriter(connection, "main").write(
        spoilt(batch, statements=[*batch.statements, (warning, ())])
    )
    assert told == ["look"]
