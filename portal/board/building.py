"""Building the board from the engine's tables, whole, and comparing it with them.

Both take what the tables say at one moment into a table of their own and look for differences;
building writes those and nothing else, so that readers see the board as it was until it is right.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portal.board import projection
from portal.board.following import (
    Cursor,
    advance,
    follow,
    last_event,
    lock_cursor,
    notify,
    save_cursor,
)
from portal.engine.connection import Connection

_SAMPLES = 5


@dataclass(frozen=True)
class _Part:
    """A table of the board, and the query that says what it must hold."""

    table: str
    columns: str
    key: tuple[str, ...]
    truth: str


# Depth comes after the offers it sums up.
_PARTS = (
    _Part("offer", projection.OFFER_COLUMNS, ("order_id",), projection.OFFERS),
    _Part(
        "depth",
        projection.DEPTH_COLUMNS,
        ("market_id", "side", "kind", "rank"),
        projection.DEPTH,
    ),
    _Part("track_record", projection.RECORD_COLUMNS, ("user_id", "shard"), projection.RECORDS),
    _Part("board_index", projection.INDEX_COLUMNS, ("market_id",), projection.INDEXES),
)


@dataclass(frozen=True)
class Built:
    """How far a board that was built is, and how many rows were wrong or missing."""

    seq: int
    mended: int


def build(connection: Connection, shard: str) -> Built:
    """Make the board of a shard what the tables say now, and follow from there.

    The engine goes on meanwhile; who reads sees the board as it was before, until it is done.
    """
    with connection.transaction():
        lock_cursor(connection, shard)
        cursor = _head(connection, shard)
        mended = 0
        for part in _PARTS:
            _take_truth(connection, part, shard, cursor)
            mended += _mend(connection, part, shard)
        save_cursor(connection, shard, cursor)
        notify(connection, cursor.seq, None)
    return Built(cursor.seq, mended)


def differences(connection: Connection, shard: str) -> list[str]:
    """Where the board differs from the tables after following them; empty when it is right.

    Raises as `portal.board.following.catch_up`.
    """
    follow(connection, shard)
    with connection.transaction():
        advance(connection, shard, sys.maxsize)
        cursor = _head(connection, shard)
        return [found for part in _PARTS for found in _compare(connection, part, shard, cursor)]


def _compare(connection: Connection, part: _Part, shard: str, cursor: Cursor) -> Iterator[str]:
    _take_truth(connection, part, shard, cursor)
    held = f"SELECT {part.columns} FROM {part.table} WHERE shard = %(shard)s"
    for query, words in (
        (f"{held} EXCEPT TABLE truth", "wrongly holds"),
        (f"TABLE truth EXCEPT {held}", "lacks"),
    ):
        counted = f"SELECT count(*) OVER (), * FROM ({query}) AS found LIMIT {_SAMPLES}"
        for count, *row in connection.execute(counted.encode(), {"shard": shard}):
            yield f"{part.table} {words} {count} rows, such as {_told(part, row)}"


def _told(part: _Part, row: list[Any]) -> str:
    names = part.columns.split(", ")
    return ", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True))


def _head(connection: Connection, shard: str) -> Cursor:
    row = connection.execute(
        "SELECT s.seq, coalesce((SELECT at_ms FROM journal WHERE shard = s.name"
        " ORDER BY first_seq DESC LIMIT 1), 0) FROM shard s WHERE s.name = %s",
        (shard,),
    ).fetchone()
    seq, at_ms = row or (0, 0)
    return Cursor(int(seq), int(at_ms), last_event(connection, shard))


def _take_truth(connection: Connection, part: _Part, shard: str, cursor: Cursor) -> None:
    connection.execute("DROP TABLE IF EXISTS pg_temp.truth")
    query = f"CREATE TEMP TABLE truth ON COMMIT DROP AS SELECT {part.columns} FROM ({part.truth}) t"
    connection.execute(query.encode(), {"shard": shard, "after": 0, "until": cursor.event_seq})
    connection.execute("ANALYZE truth")


def _mend(connection: Connection, part: _Part, shard: str) -> int:
    """Take out what is wrong, put in what is missing; returns how many rows that were."""
    same_key = " AND ".join(f"there.{name} = truth.{name}" for name in part.key)
    wrong = f"SELECT {part.columns} FROM {part.table} WHERE shard = %s EXCEPT TABLE truth"
    key = ", ".join(part.key)
    gone = connection.execute(
        f"DELETE FROM {part.table} WHERE ({key}) IN (SELECT {key} FROM ({wrong}) w)".encode(),
        (shard,),
    ).rowcount
    made = connection.execute(
        f"INSERT INTO {part.table} ({part.columns}) SELECT {part.columns} FROM truth"
        f" WHERE NOT EXISTS (SELECT FROM {part.table} there WHERE {same_key})".encode()
    ).rowcount
    return max(gone, made)
