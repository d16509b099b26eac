"""Day partitions of the engine's large tables: made ahead, detached when they are old.

Orders, trades and transfers are partitioned by ranges of ids, which hold their day
(`portal.engine.ids`), the journal by time, keys by day. What fits none goes to `<table>_rest`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from portal.core.errors import Conflict
from portal.engine import ids

Connection = psycopg.Connection[tuple[Any, ...]]
BY_ID = ("order", "trade", "transfer")
KEYS = "command_key"
KEY_DAYS = 2
# Rows that change are rewritten in place while their page has room.
_FILL = {"order": 80, "trade": 70}


@dataclass(frozen=True)
class Partition:
    """One day of one table."""

    table: str
    name: str
    low: int
    high: int


def partitions_of(shard_number: int, day: int) -> Iterator[Partition]:
    """The partitions that a day of a shard needs. Journal and keys are shared by all shards."""
    date = ids.date_text(day)
    for table in BY_ID:
        low, high = ids.first_id(shard_number, day), ids.first_id(shard_number, day + 1)
        yield Partition(table, f"{table}_{shard_number}_{date}", low, high)
    first = ids.start_of(day) if day else 0
    yield Partition("journal", f"journal_{date}", first, ids.start_of(day + 1))
    yield Partition(KEYS, f"{KEYS}_{date}", day, day + 1)


def ensure(connection: Connection, shard_number: int, *days: int) -> list[str]:
    """Make the partitions of these days that are missing; returns their names."""
    wanted = [part for day in days for part in partitions_of(shard_number, day)]
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relname = ANY(%s)", ([part.name for part in wanted],)
    )
    there = {name for (name,) in rows}
    missing = [part for part in wanted if part.name not in there]
    for part in missing:
        _make(connection, part)
    return [part.name for part in missing]


def detach(connection: Connection, before_day: int, *, drop_keys: bool = True) -> list[str]:
    """Detach the partitions of the days before `before_day`; returns their names.

    They stay as ordinary tables, to be archived or dropped by hand; those of keys are dropped.
    Raises Conflict when one of those days still has an open order or trade.
    """
    done = []
    for table, name, date in _attached(connection):
        if date >= ids.date_text(before_day):
            continue
        _refuse_open(connection, table, name)
        _take_away(connection, table, name, drop=table == KEYS and drop_keys)
        done.append(name)
    return done


def drop_old_keys(connection: Connection, today: int) -> list[str]:
    """Drop the keys that are older than the time in which a retry is recognised."""
    oldest = ids.date_text(today - KEY_DAYS + 1)
    old = [
        (table, name)
        for table, name, date in _attached(connection)
        if table == KEYS and date < oldest
    ]
    for table, name in old:
        _take_away(connection, table, name, drop=True)
    return [name for _, name in old]


def tidy(connection: Connection, today: int) -> list[str]:
    """Freeze and measure the partitions of days that are over, once; returns their names.

    Gently: others use the disk meanwhile. The connection must be in no transaction.
    """
    over = [name for _, name, date in _attached(connection) if date < ids.date_text(today)]
    rows = connection.execute(
        "SELECT relname FROM pg_stat_user_tables"
        " WHERE relname = ANY(%s) AND last_vacuum IS NULL ORDER BY relname",
        (over,),
    ).fetchall()
    names = [name for (name,) in rows]
    connection.execute("SET vacuum_cost_delay = '2ms'")
    for name in names:
        connection.execute(sql.SQL("VACUUM (FREEZE, ANALYZE) {}").format(sql.Identifier(name)))
    return names


def _make(connection: Connection, part: Partition) -> None:
    """Made aside and attached: that waits for no reader, and no reader for it."""
    parent, child = sql.Identifier(part.table), sql.Identifier(part.name)
    options = sql.SQL(", ").join(map(sql.SQL, (*_options(part.table),)))
    with connection.transaction():
        connection.execute(
            sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL) WITH ({})").format(
                child, parent, options
            )
        )
        connection.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                parent, child, sql.Literal(part.low), sql.Literal(part.high)
            )
        )


def _options(table: str) -> Iterator[str]:
    """How a day of a table is stored. What only comes in is cleaned and measured by `tidy`, once
    the day is over: until then that would take from the engine's time and help nobody.
    """
    yield f"fillfactor = {_FILL.get(table, 100)}"
    if table in _FILL:
        yield "autovacuum_vacuum_insert_threshold = -1"
    else:
        yield "autovacuum_enabled = false"


def _attached(connection: Connection) -> list[tuple[str, str, str]]:
    """(table, partition, date) of every attached day, oldest first."""
    rows = connection.execute(
        "SELECT p.relname, c.relname FROM pg_inherits i"
        " JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE p.relname = ANY(%s) AND c.relkind = 'r'",
        ([*BY_ID, "journal", KEYS],),
    )
    named = [(table, name, name.rpartition("_")[2]) for table, name in rows]
    return sorted((one for one in named if one[2].isdigit()), key=lambda one: one[2])


def _refuse_open(connection: Connection, table: str, name: str) -> None:
    still_open = {"order": "status = 'open'", "trade": "NOT closed"}.get(table)
    if still_open is None:
        return
    query = sql.SQL("SELECT count(*) FROM {} WHERE ").format(sql.Identifier(name))
    row = connection.execute(query + sql.SQL(still_open)).fetchone()
    if row and row[0]:
        raise Conflict(
            f"{name} still has {row[0]} open rows.",
            field="day",
            hint="Choose an earlier day, or close what is open.",
        )


def _take_away(connection: Connection, table: str, name: str, *, drop: bool) -> None:
    parent, child = sql.Identifier(table), sql.Identifier(name)
    with connection.transaction():
        connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(parent, child))
        if drop:
            connection.execute(sql.SQL("DROP TABLE {}").format(child))
