"""What the engine keeps of a shard: its head, its keys, its journal, and a batch to be written.

Plain psycopg: these are the hot tables, and every statement is written for them. A batch is sent
by `portal.engine.writing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads

from portal.core.hashchain import START
from portal.engine import ids
from portal.engine.columns import (
    plain_array,
    text_array,
)

set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)

Connection = psycopg.Connection[tuple[Any, ...]]
Statement = tuple[str, Sequence[Any]]
Copy = tuple[str, bytes]
CHANNEL = "engine"
# How long an engine leads a shard after its last sign of life, by the database's clock.
LEASE_SECONDS = 2.0


class Fenced(Exception):
    """Another engine has taken the shard over; nothing of the batch was written."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a shard stands: its epoch, last sequence, ids and the ends of its two chains."""

    number: int
    epoch: int
    seq: int
    next_id: int
    journal_hash: str
    event_seq: int
    event_hash: str


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A batch of commands as stored."""

    first_seq: int
    last_seq: int
    at_ms: int
    commands: bytes
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class ToldBatch:
    """A batch of the journal with the answers to its commands that had a key, for retries."""

    first_seq: int
    last_seq: int
    commands: dict[int, Any]
    answers: dict[str, Any]

    def of(self, seq: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """A command as it was asked, and its answer; None when it had no key."""
        command, answer = self.commands.get(seq), self.answers.get(str(seq))
        return None if command is None or answer is None else (command, answer)


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """Everything of a batch that is to be written, already as PostgreSQL takes it."""

    head: Head
    after: Head
    at_ms: int
    keys: tuple[str, ...]
    statements: list[Statement]
    copies: list[Copy]


def stream_name(shard: str) -> str:
    """The event stream of a shard."""
    return f"shard:{shard}"


def take_over(connection: Connection, shard: str) -> Head:
    """Raise the shard's epoch, so that whoever wrote before can't any more: for tools.

    Engines that serve agree by a lease first (`portal.engine.lease`).
    """
    make_shard(connection, shard)
    row = connection.execute(
        "UPDATE shard SET epoch = epoch + 1, leader = NULL WHERE name = %s RETURNING epoch",
        (shard,),
    ).fetchone()
    if row is None:
        raise Fenced(f"shard {shard} has no head")
    return read_head(connection, shard)


def make_shard(connection: Connection, shard: str) -> None:
    """Give the shard its row and number, unless it has them."""
    connection.execute(
        "INSERT INTO shard (name, number, epoch, seq, journal_hash, next_id)"
        " SELECT %s, n, 0, 0, %s, greatest(1, n * %s)"
        " FROM (SELECT coalesce(max(number) + 1, 0) AS n FROM shard) AS next"
        " ON CONFLICT DO NOTHING",
        (shard, START, ids.IDS_A_SHARD),
    )


def read_head(connection: Connection, shard: str) -> Head:
    """Where the shard stands. Raises Fenced when there is none."""
    row = connection.execute(
        "SELECT s.number, s.epoch, s.seq, s.next_id, s.journal_hash, e.seq, e.hash FROM shard s"
        " LEFT JOIN LATERAL (SELECT seq, hash FROM audit_event WHERE stream = %s"
        " ORDER BY seq DESC LIMIT 1) AS e ON true WHERE s.name = %s",
        (stream_name(shard), shard),
    ).fetchone()
    if row is None:
        raise Fenced(f"shard {shard} has no head")
    number, epoch, seq, next_id, journal_hash, event_seq, last_hash = row
    return Head(number, epoch, seq, next_id, journal_hash, event_seq or 0, last_hash or START)


def tune(connection: Connection) -> None:
    """Have every statement planned once, by key: a batch's rows are always found by their ids."""
    for setting in (
        "plan_cache_mode = force_generic_plan",
        "enable_seqscan = off",
        "enable_hashjoin = off",
        "enable_mergejoin = off",
        "jit = off",
    ):
        connection.execute(f"SET {setting}".encode())


def find_keys(connection: Connection, shard: str, keys: Sequence[str], day: int) -> dict[str, int]:
    """The commands (by seq) that those of `keys` were used for which were used lately."""
    rows = connection.execute(
        "SELECT key, seq FROM command_key"
        " WHERE shard = %s AND day = ANY(%s::int8[]) AND key = ANY(%s::text[])",
        (shard, plain_array((day - 1, day)), text_array(keys)),
    )
    return {str(key): int(seq) for key, seq in rows}


def keys_after(connection: Connection, shard: str, day: int, key: str, most: int) -> list[str]:
    """The next keys of a day behind `key`, in order; none behind the last one."""
    rows = connection.execute(
        "SELECT key FROM command_key WHERE shard = %s AND day = %s AND key > %s"
        " ORDER BY key LIMIT %s",
        (shard, day, key, most),
    )
    return [str(found) for (found,) in rows]


def read_batch(connection: Connection, shard: str, seq: int) -> ToldBatch | None:
    """The batch of a journalled command; None when its journal is gone."""
    row = connection.execute(
        "SELECT first_seq, last_seq, commands, answers FROM journal"
        " WHERE shard = %s AND first_seq <= %s ORDER BY first_seq DESC LIMIT 1",
        (shard, seq),
    ).fetchone()
    if row is None or row[1] < seq:
        return None
    commands = {at: raw for at, _, raw in orjson.loads(row[2])}
    return ToldBatch(row[0], row[1], commands, orjson.loads(row[3]))
