"""`portal engine snapshot`, `verify` and `partitions`: beside the engines, never in them."""

import sys
import time
from datetime import date, datetime

import structlog
from psycopg import IsolationLevel

from portal.core.clock import now_ms
from portal.core.db import libpq_url, sqlalchemy_url
from portal.core.settings import Settings
from portal.engine import ids, partitions, recovery, replay, snapshots
from portal.engine.connection import Connection, Identity, connect

# A snapshot that would save less than this is not worth its megabytes.
LEAST_COMMANDS = 10_000
DAYS_AHEAD = 3
_log = structlog.get_logger("engine")


def write_snapshot(settings: Settings, shard: str = "main", *, only_if_worth: bool = False) -> None:
    """Read the shard, from the newest snapshot and the journal behind it, and store it anew.

    `only_if_worth`: not when there were few commands since the newest one.
    """
    with _open(settings) as connection:
        newest = next(iter(snapshots.stored(connection, shard)), None)
        head = _head_seq(connection, shard)
        if newest is not None and head - newest.seq < (LEAST_COMMANDS if only_if_worth else 1):
            sys.stdout.write(f"The snapshot at {newest.seq} is new enough.\n")
            return
        began = time.monotonic()
        copy = recovery.restore(connection, shard)
        read = time.monotonic()
        size = snapshots.write(connection, copy.state, copy.journal_hash)
    sys.stdout.write(
        f"Shard {shard} at command {copy.state.seq}: {len(copy.state.orders)} open orders, "
        f"{size / 1e6:.1f} MB; read in {read - began:.1f} s, "
        f"written in {time.monotonic() - read:.1f} s.\n"
    )


def verify(settings: Settings, shard: str = "main") -> int:
    """Replay the journal and compare it with the tables and the snapshots; 1 on a difference."""
    with _open(settings) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            seq = _head_seq(connection, shard)
            found = replay.differences(connection, shard)
            found += _bad_snapshots(connection, shard)
    for difference in found:
        sys.stdout.write(f"DIFFERENT  {difference}\n")
    if not found:
        sys.stdout.write(f"Shard {shard}: the journal of {seq} commands gives what is stored.\n")
    return 1 if found else 0


def keep_partitions(settings: Settings, detach_before: date | None = None) -> str:
    """Make the partitions of the next days, drop the keys that no retry can need, and tidy what
    is over.

    `detach_before` (UTC): also detach what is older, for archiving. Raises Conflict when there
    is something open in it. Returns what was done in one line.
    """
    today = ids.day_of(now_ms())
    with _open(settings, writes=True) as connection:
        numbers = [number for (number,) in connection.execute("SELECT number FROM shard")]
        made = [
            name
            for number in numbers or [0]
            for name in partitions.ensure(connection, number, *range(today, today + DAYS_AHEAD))
        ]
        gone = partitions.drop_old_keys(connection, today)
        if detach_before is not None:
            gone += partitions.detach(connection, (detach_before - ids.EPOCH.date()).days)
        tidied = partitions.tidy(connection, today)
    parts = {"Made": made, "Detached": gone, "Tidied": tidied}
    return " ".join(f"{what}: {', '.join(names) or 'none'}." for what, names in parts.items())


def print_partitions(settings: Settings, detach_before: datetime | None = None) -> None:
    """`portal engine partitions`."""
    day = detach_before.date() if detach_before else None
    sys.stdout.write(keep_partitions(settings, day) + "\n")


def _bad_snapshots(connection: Connection, shard: str) -> list[str]:
    found = []
    wanted = recovery.read_tables(connection, shard).state.snapshot()
    for row in snapshots.stored(connection, shard):
        try:
            copy = recovery.Copy(snapshots.read(connection, shard, row.seq), row.journal_hash)
            copy.catch_up_all(connection)
        except (snapshots.Damaged, recovery.Diverged) as error:
            found.append(f"snapshot {row.seq}: {error}")
            continue
        if copy.state.snapshot() != wanted:
            found.append(f"snapshot {row.seq} and the journal behind it give another state")
    return found


def _head_seq(connection: Connection, shard: str) -> int:
    row = connection.execute("SELECT seq FROM shard WHERE name = %s", (shard,)).fetchone()
    return int(row[0]) if row else 0


def _open(settings: Settings, *, writes: bool = False) -> Connection:
    url = libpq_url(sqlalchemy_url(settings.required_database_url))
    return connect(url, Identity("a tool"), writes=writes)
