"""Getting a shard into memory: the newest usable snapshot and the journal behind it, or the tables.

Three ways that give the same state. The journal is read batch by batch, and its chain of hashes is
checked on the way; a replayed command must also give the answer that was journalled.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import structlog
from psycopg import IsolationLevel

from portal.core.hashchain import START, link
from portal.engine import snapshots
from portal.engine.apply import apply
from portal.engine.commands import parse_command
from portal.engine.connection import Connection
from portal.engine.loading import read_state
from portal.engine.state import ShardState

# Behind an older snapshot, reading the tables is quicker than replaying.
LONGEST_REPLAY = 400_000
_ROWS = 200
_log = structlog.get_logger("engine")


class Diverged(Exception):
    """The memory and the journal do not fit together: the memory must not be used."""


@dataclass(slots=True)
class Copy:
    """A shard in memory, and the hash of the last batch that is in it."""

    state: ShardState
    journal_hash: str = START

    def catch_up(self, connection: Connection, *, at_most: int = _ROWS) -> int:
        """Apply committed batches behind the state; returns how many there were.

        Raises Diverged where they don't fit; then the copy is no good any more.
        """
        rows = connection.execute(
            "SELECT first_seq, last_seq, commands, answers, previous, hash FROM journal"
            " WHERE shard = %s AND first_seq > %s AND at_ms >= %s ORDER BY first_seq LIMIT %s",
            (self.state.name, self.state.seq, self.state.at_ms, at_most),
            binary=True,
        ).fetchall()
        for row in rows:
            self._apply(*row)
        return len(rows)

    def catch_up_all(self, connection: Connection) -> None:
        """Apply all committed batches behind the state. Raises Diverged."""
        while self.catch_up(connection):
            pass

    def require_head(self, seq: int, next_id: int, journal_hash: str) -> None:
        """Raises Diverged unless the copy is where the shard's head is."""
        mine = (self.state.seq, self.state.next_id, self.journal_hash)
        if mine != (seq, next_id, journal_hash):
            raise Diverged(f"the copy is at {mine}, the shard at {(seq, next_id, journal_hash)}")

    def _apply(
        self, first: int, last: int, commands: bytes, answers: bytes, previous: str, hash_: str
    ) -> None:
        if previous != self.journal_hash or first != self.state.seq + 1:
            raise Diverged(f"batch {first} of the journal does not follow {self.state.seq}")
        if link(previous, commands) != hash_:
            raise Diverged(f"batch {first} of the journal does not match its hash")
        journalled = orjson.loads(answers)
        for seq, at_ms, raw in orjson.loads(commands):
            try:
                answer = apply(self.state, parse_command(raw), at_ms)
            except Exception as error:
                raise Diverged(f"command {seq} was refused in the replay: {error}") from error
            if self.state.seq != seq:
                raise Diverged(f"command {seq} replays as {self.state.seq}")
            told = journalled.get(str(seq))
            if told is not None and orjson.dumps(told) != orjson.dumps(answer):
                raise Diverged(f"command {seq} was answered {told}, the replay answers {answer}")
        if self.state.seq != last:
            raise Diverged(f"batch {first} ends at {self.state.seq}, not at {last}")
        self.state.take_changes()
        self.journal_hash = hash_


def restore(connection: Connection, shard: str) -> Copy:
    """The shard as of the newest committed batch, the quickest way that works."""
    for copy in _from_snapshots(connection, shard):
        try:
            copy.catch_up_all(connection)
        except Diverged as error:
            _log.error(f"a snapshot does not fit the journal: {error}")
            continue
        return copy
    return from_tables(connection, shard)


def from_tables(connection: Connection, shard: str) -> Copy:
    """The shard as its tables tell, all at one moment, whoever writes meanwhile."""
    before = connection.isolation_level
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            return read_tables(connection, shard)
    finally:
        connection.isolation_level = before


def read_tables(connection: Connection, shard: str) -> Copy:
    """The same within a transaction of the caller's, which sees one moment only."""
    state = read_state(connection, shard)
    row = connection.execute("SELECT journal_hash FROM shard WHERE name = %s", (shard,)).fetchone()
    return Copy(state, str(row[0]) if row else START)


def from_journal(connection: Connection, shard: str) -> Copy:
    """The shard as the journal alone gives it. Raises Diverged."""
    row = connection.execute("SELECT number FROM shard WHERE name = %s", (shard,)).fetchone()
    copy = Copy(ShardState(shard, int(row[0]) if row else 0))
    copy.catch_up_all(connection)
    return copy


def _from_snapshots(connection: Connection, shard: str) -> Iterator[Copy]:
    row = connection.execute("SELECT seq FROM shard WHERE name = %s", (shard,)).fetchone()
    head = int(row[0]) if row else 0
    for snapshot in snapshots.stored(connection, shard):
        if not head - LONGEST_REPLAY <= snapshot.seq <= head:
            continue
        try:
            state = snapshots.read(connection, shard, snapshot.seq)
        except snapshots.Damaged as damage:
            _log.error(f"snapshot {snapshot.seq} is damaged: {damage}")
            continue
        if _journalled(connection, shard, snapshot):
            yield Copy(state, snapshot.journal_hash)


def _journalled(connection: Connection, shard: str, snapshot: snapshots.SnapshotRow) -> bool:
    """Whether the journal really had a batch of this hash there.

    A restored backup can be older than a snapshot that was left behind.
    """
    row = connection.execute(
        "SELECT (seq, journal_hash) = (%(seq)s, %(hash)s) OR EXISTS (SELECT FROM journal"
        " WHERE shard = name AND first_seq = %(seq)s + 1 AND previous = %(hash)s)"
        " FROM shard WHERE name = %(shard)s",
        {"seq": snapshot.seq, "hash": snapshot.journal_hash, "shard": shard},
    ).fetchone()
    fits = bool(row and row[0])
    if not fits:
        _log.error(f"snapshot {snapshot.seq} is not of this journal")
    return fits
