"""Keeping the board a moment behind the engine: what the journal says changed is read again.

A pass is one transaction that sees one moment of all tables: it takes the batches behind the
cursor, writes their offers, depth and track records anew, and moves the cursor. Whatever dies in
between leaves the pass undone; two that follow at once are in each other's way, never wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg import IsolationLevel

from portal.board import projection
from portal.core.db import libpq_url
from portal.engine.columns import plain_array, text_array
from portal.engine.connection import Connection, Identity, connect

CHANNEL = "board"
# A pass of about this many batches; the next goes on behind them.
MOST_BATCHES = 2_000
_MAX_NOTICE = 7_900
Level = tuple[str, str, str, int]


class NotFollowing(Exception):
    """The cursor does not fit the journal: the board has to be built anew."""


@dataclass(frozen=True)
class Cursor:
    """Where the board is; see `portal.board.models.BoardCursor`."""

    seq: int
    at_ms: int
    event_seq: int


@dataclass(frozen=True)
class Pass:
    """What one pass did: how far the board is now, and how many batches it took."""

    seq: int
    batches: int


def open_connection(url: str) -> Connection:
    """A connection for following: each transaction sees one moment.

    Commits don't wait for the disk: what is lost with the server is followed again.
    """
    connection = connect(libpq_url(url), Identity("the board"), writes=False)
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.execute("SET synchronous_commit = off")
    return connection


def shards(connection: Connection) -> list[str]:
    """The shards there are."""
    return [str(name) for (name,) in connection.execute("SELECT name FROM shard ORDER BY number")]


def catch_up(connection: Connection, shard: str, at_most: int = MOST_BATCHES) -> Pass:
    """Take up to `at_most` batches behind the cursor, all they changed in one transaction.

    Raises NotFollowing where the board has to be built anew.
    """
    with connection.transaction():
        return advance(connection, shard, at_most)


def advance(connection: Connection, shard: str, at_most: int) -> Pass:
    """The same within a transaction of the caller's, which sees one moment only."""
    cursor = lock_cursor(connection, shard)
    if cursor is None:
        raise NotFollowing("the board was never built")
    batches = _batches(connection, shard, cursor, at_most)
    if not batches:
        _require_end(connection, shard, cursor)
        return Pass(cursor.seq, 0)
    _plan_by_key(connection, True)
    changed = {order_id for *_, ids in batches for order_id in orjson.loads(ids)}
    ticked, crossing = _follow_indexes(connection, shard)
    markets = refresh(connection, shard, changed | crossing) | ticked
    _, last_seq, at_ms, _ = batches[-1]
    after = Cursor(last_seq, at_ms, last_event(connection, shard))
    _add_records(connection, shard, cursor.event_seq, after.event_seq)
    save_cursor(connection, shard, after)
    notify(connection, after.seq, markets)
    _plan_by_key(connection, False)
    return Pass(after.seq, len(batches))


def follow(connection: Connection, shard: str, at_most: int = MOST_BATCHES) -> Pass:
    """As many passes as it takes to be where the shard is now. Raises as `catch_up`."""
    done = 0
    while True:
        step = catch_up(connection, shard, at_most)
        done += step.batches
        if step.batches < at_most:
            return Pass(step.seq, done)


def lock_cursor(connection: Connection, shard: str) -> Cursor | None:
    """The cursor, kept from others until the transaction ends; None before the first build."""
    # Locked before anything is read: the moment that this transaction sees comes after.
    connection.execute("LOCK TABLE board_cursor IN SHARE ROW EXCLUSIVE MODE")
    row = connection.execute(
        "SELECT seq, at_ms, event_seq FROM board_cursor WHERE shard = %s", (shard,)
    ).fetchone()
    return Cursor(*row) if row else None


def save_cursor(connection: Connection, shard: str, cursor: Cursor) -> None:
    """Say how far the board is."""
    connection.execute(
        "INSERT INTO board_cursor (shard, seq, at_ms, event_seq) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (shard) DO UPDATE SET seq = EXCLUDED.seq, at_ms = EXCLUDED.at_ms,"
        " event_seq = EXCLUDED.event_seq",
        (shard, cursor.seq, cursor.at_ms, cursor.event_seq),
    )


def notify(connection: Connection, seq: int, markets: Iterable[str] | None) -> None:
    """Tell who listens which books changed, None for all; it is heard when this commits."""
    told = {"seq": seq} | ({"all": True} if markets is None else {"markets": sorted(markets)})
    text = orjson.dumps(told).decode()
    if len(text) >= _MAX_NOTICE:
        text = orjson.dumps({"seq": seq, "all": True}).decode()
    connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, text))


def refresh(connection: Connection, shard: str, order_ids: Iterable[int]) -> set[str]:
    """Write these offers as their orders are now; returns the markets whose books changed."""
    ids = {"shard": shard, "ids": plain_array(sorted(order_ids))}
    levels: dict[Level, int] = {}
    for statement in (_TAKE_OUT, _PUT_IN):
        for *level, orders in connection.execute(statement, ids):
            levels[tuple(level)] = orders
    _drop_empty(connection, [level for level, orders in levels.items() if orders == 0])
    return {market for market, *_ in levels}


def _drop_empty(connection: Connection, levels: list[Level]) -> None:
    if levels:
        markets, sides, kinds, ranks = zip(*levels, strict=True)
        connection.execute(
            "DELETE FROM depth USING unnest(%s::text[], %s::text[], %s::text[], %s::int8[])"
            " AS empty(market_id, side, kind, rank) WHERE depth.market_id = empty.market_id"
            " AND depth.side = empty.side AND depth.kind = empty.kind"
            " AND depth.rank = empty.rank",
            (text_array(markets), text_array(sides), text_array(kinds), plain_array(ranks)),
        )


def _batches(
    connection: Connection, shard: str, cursor: Cursor, at_most: int
) -> list[tuple[int, int, int, bytes]]:
    """(first_seq, last_seq, at_ms, changed orders) of what was committed behind the cursor."""
    rows: list[Any] = connection.execute(
        "SELECT first_seq, last_seq, at_ms, changed_orders FROM journal"
        " WHERE shard = %s AND first_seq > %s AND at_ms >= %s ORDER BY first_seq LIMIT %s",
        (shard, cursor.seq, cursor.at_ms, at_most),
        binary=True,
    ).fetchall()
    expected = cursor.seq + 1
    for first, last, _, changed in rows:
        if first != expected:
            raise NotFollowing(f"the journal goes on at {first}, not at {expected}")
        if changed is None:
            raise NotFollowing(f"the batch at {first} does not name the orders it changed")
        expected = last + 1
    return rows


def _require_end(connection: Connection, shard: str, cursor: Cursor) -> None:
    row = connection.execute("SELECT seq FROM shard WHERE name = %s", (shard,)).fetchone()
    if row is not None and row[0] != cursor.seq:
        raise NotFollowing(f"the shard is at {row[0]}, and no journal leads there")


def _plan_by_key(connection: Connection, only: bool) -> None:
    """A pass finds its rows by their keys, however little PostgreSQL knows of the tables yet."""
    for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"):
        connection.execute(f"SET LOCAL {setting} = {'off' if only else 'DEFAULT'}".encode())


def _follow_indexes(connection: Connection, shard: str) -> tuple[set[str], set[int]]:
    """The markets whose index changed, and offers that leave or reach a floor or ceiling by it."""
    rows = connection.execute(_MOVED_INDEXES, {"shard": shard}).fetchall()
    crossing: set[int] = set()
    for market, before, now in rows:
        low, high = sorted((before or 0, now or 0))
        found = connection.execute(_CROSSING, {"market": market, "low": low, "high": high})
        crossing |= {order_id for (order_id,) in found}
    if rows:
        connection.execute(_SAVE_INDEXES, {"shard": shard})
    return {market for market, *_ in rows}, crossing


def last_event(connection: Connection, shard: str) -> int:
    """The newest event of the shard that this transaction sees."""
    row = connection.execute(
        "SELECT max(seq) FROM audit_event WHERE stream = 'shard:' || %s", (shard,)
    ).fetchone()
    return int(row[0] or 0) if row else 0


def _add_records(connection: Connection, shard: str, after: int, until: int) -> None:
    if until > after:
        connection.execute(_ADD_RECORDS, {"shard": shard, "after": after, "until": until})


_ADD_LEVELS = (
    f" INSERT INTO depth AS d ({projection.DEPTH_COLUMNS})"
    " SELECT market_id, side, kind, rank, shard, {sign}sum(quantity), {sign}count(*)"
    " FROM moved GROUP BY market_id, side, kind, rank, shard"
    " ON CONFLICT (market_id, side, kind, rank) DO UPDATE SET"
    " quantity = d.quantity + EXCLUDED.quantity, orders = d.orders + EXCLUDED.orders"
    " RETURNING market_id, side, kind, rank, orders"
)
_TAKE_OUT = (
    "WITH moved AS (DELETE FROM offer WHERE order_id = ANY(%(ids)s::int8[]) RETURNING *)"
    + _ADD_LEVELS.format(sign="-")
).encode()
_PUT_IN = (
    f"WITH moved AS (INSERT INTO offer ({projection.OFFER_COLUMNS})"
    f" {projection.OFFERS_OF_IDS} RETURNING offer.*)" + _ADD_LEVELS.format(sign="")
).encode()
_MOVED_INDEXES = (
    f"SELECT now.market_id, b.index_ticks, now.index_ticks FROM ({projection.INDEXES}) AS now"
    " LEFT JOIN board_index b ON b.market_id = now.market_id WHERE b.market_id IS NULL"
    " OR (b.index_ticks, b.index_at_ms, b.index_reason) IS DISTINCT FROM"
    " (now.index_ticks, now.index_at_ms, now.index_reason)"
).encode()
_SAVE_INDEXES = (
    f"INSERT INTO board_index ({projection.INDEX_COLUMNS}) {projection.INDEXES}"
    " ON CONFLICT (market_id) DO UPDATE SET index_ticks = EXCLUDED.index_ticks,"
    " index_at_ms = EXCLUDED.index_at_ms, index_reason = EXCLUDED.index_reason"
).encode()
_CROSSING = (
    b"SELECT order_id FROM offer WHERE market_id = %(market)s"
    b" AND low_index > %(low)s AND low_index <= %(high)s"
    b" UNION SELECT order_id FROM offer WHERE market_id = %(market)s"
    b" AND high_index > %(low)s AND high_index <= %(high)s"
)
_ADD_RECORDS = (
    f"INSERT INTO track_record AS t ({projection.RECORD_COLUMNS}) {projection.RECORDS_BY_KEY}"
    " ON CONFLICT (user_id, shard) DO UPDATE SET completed = t.completed + EXCLUDED.completed,"
    " ended = t.ended + EXCLUDED.ended, releases = t.releases + EXCLUDED.releases,"
    " release_ms = t.release_ms + EXCLUDED.release_ms,"
    " first_ms = least(t.first_ms, EXCLUDED.first_ms)"
).encode()
