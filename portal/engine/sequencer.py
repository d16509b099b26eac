"""The single writer of a shard: applies commands as they come and commits them in batches.

Commands go into the open batch at once, while the one before is being committed: memory runs
ahead of the database, and no answer leaves before its batch is written. Whatever goes wrong while
a batch is written, the memory is thrown away and read back: the database is the truth.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
import structlog

from portal.core.clock import Clock, now_ms
from portal.core.errors import PortalError, Unavailable
from portal.engine import ids, recovery, store
from portal.engine.commands import encode_command
from portal.engine.committing import Committer, Reliance
from portal.engine.connection import Identity, connect
from portal.engine.intake import Answer, Intake, OpenBatch
from portal.engine.lease import Lease
from portal.engine.proof import Proof
from portal.engine.quorum import require_durable
from portal.engine.recovery import Copy
from portal.engine.sealing import seal
from portal.engine.state import ShardState
from portal.engine.store import Fenced, Head, SealedBatch
from portal.engine.used_keys import UsedKeys

_TOLD_BATCHES = 8
_log = structlog.get_logger("engine")


class NotApplied(Unavailable):
    """The batch could not be written; with a key, asking again is safe."""

    code = "unavailable"


class Sequencer:
    """One shard's memory, and what of it is to be written. One caller at a time.

    Batches may be committed while more commands are added, and sealed before those ahead of them
    are committed: each names the head that the one before it leaves.
    """

    def __init__(
        self,
        url: str,
        shard: str = "main",
        *,
        clock: Clock = now_ms,
        lease: Lease | None = None,
    ) -> None:
        """Without a `lease` it takes the shard from whoever has it: for tools and tests."""
        self._url = url
        self._shard = shard
        self._lease = lease
        self._identity = lease.identity if lease else Identity("a tool")
        self._sync_standbys = lease.sync_standbys if lease else 0
        self.reliance = Reliance(self._sync_standbys)
        self._writer: store.Connection | None = None
        self._committer: Committer | None = None
        self._reader: store.Connection | None = None
        self._head: Head | None = None
        self._intake = Intake(ShardState(shard), clock, self._find, self._tell)
        self._keys_epoch = -2
        self._proof = Proof({})
        self._told: deque[store.ToldBatch] = deque(maxlen=_TOLD_BATCHES)

    @property
    def state(self) -> ShardState:
        """The shard in memory."""
        return self._intake.state

    @property
    def used_keys(self) -> UsedKeys:
        """What is remembered of keys; others may have to be learnt."""
        return self._intake.used

    @property
    def waiting(self) -> int:
        """Bytes of commands in the open batch; 0 when there is nothing to write."""
        return self._intake.batch.size

    @property
    def started(self) -> bool:
        """Whether the shard is in memory and its connections are open."""
        connections = (self._writer, self._reader)
        return all(c is not None and not c.closed for c in connections)

    @property
    def today(self) -> int:
        """The day under which keys are filed now."""
        return ids.day_of(self._intake.now())

    @property
    def leads(self) -> bool:
        """Whether nobody else can have written since: what memory says is then how things are."""
        return self._lease is None or self._lease.held

    def start(self, copy: Copy | None = None) -> None:
        """Take the shard over and have it in memory: `copy`, once it has the journal's tail.

        Raises Fenced when another engine leads the shard, Diverged when the copy does not fit
        the journal, NotDurable when commits would not wait for the standbys.
        """
        self.stop()
        if self._lease is not None and self._lease.try_take() is None:
            raise Fenced(f"another engine leads shard {self._shard}")
        self._writer = writer = connect(self._url, self._identity)
        self._reader = connect(self._url, self._identity)
        self._reader.prepare_threshold = 0
        if self._sync_standbys:
            names = require_durable(writer, self._sync_standbys).names
            self.reliance = Reliance(self._sync_standbys, names)
        if self._lease is None:
            self._head = store.take_over(writer, self._shard)
        else:
            self._head = store.read_head(writer, self._shard)
        # Whoever takes the shard raises its epoch: if it was us each time, nobody else has written.
        if self._head.epoch != self._keys_epoch + 1:
            self._intake.used = UsedKeys()
        self._keys_epoch = self._head.epoch
        self._intake.begin(self._recovered(writer, self._head, copy))
        markets = self.state.markets.items()
        assets = {id_: (m.terms.base, m.terms.quote) for id_, m in markets}
        self._proof = Proof(assets, self.state.orders.values(), self.state.trades.values())
        store.tune(self._reader)

    def _recovered(self, writer: store.Connection, head: Head, copy: Copy | None) -> ShardState:
        if copy is None:
            copy = recovery.restore(writer, self._shard)
        else:
            copy.catch_up_all(writer)
        copy.require_head(head.seq, head.next_id, head.journal_hash)
        return copy.state

    def stop(self) -> None:
        """Close the connections; the shard stays where it is."""
        for connection in (self._writer, self._reader):
            if connection is not None:
                connection.close()
        self._writer = self._reader = self._committer = None

    def interrupt(self) -> None:
        """End a commit that waits for a standby server, from another thread; it then failed."""
        if self._writer is not None and not self._writer.closed:
            self._writer.cancel_safe(timeout=2.0)
        if self._lease is not None:
            self._lease.interrupt()

    def run(self, raw_commands: Sequence[Any]) -> list[dict[str, Any] | PortalError]:
        """Apply and commit a batch; an answer or a refusal per command, in order.

        When the batch can't be written every command that went in is answered NotApplied, and
        the memory is read back next time. Raises Fenced when another engine owns the shard now.
        """
        if not self.started:
            self.start()
        try:
            answers = self.add([_as_bytes(raw) for raw in raw_commands])
            batch = self.seal()
            if batch is not None:
                self.commit(batch)
                self.written(batch)
        except Fenced:
            self.stop()
            raise
        except Exception:
            _log.exception("batch failed", commands=len(raw_commands))
            self.stop()
            return [not_applied()] * len(raw_commands)
        return [a if isinstance(a, PortalError) else orjson.loads(a) for a in answers]

    def add(self, raw_commands: Sequence[bytes | PortalError]) -> list[Answer]:
        """Apply commands to the open batch. Their answers count once it is committed.

        After any exception nothing of the open batch may be written: `stop`, then `start`.
        """
        return self._intake.add(raw_commands)

    def seal(self) -> SealedBatch | None:
        """Close the open batch and begin another; None when nothing was applied.

        Raises Unbalanced when money would not add up.
        """
        batch = self._intake.batch
        if not batch.commands or self._head is None:
            return None
        changes = self.state.take_changes()
        self._proof.check(changes)
        sealed = seal(
            self._shard,
            self._head,
            b"[" + b",".join(batch.commands) + b"]",
            b"{" + b",".join(batch.answers) + b"}",
            batch.keys,
            changes,
            last_seq=self.state.seq,
            at_ms=self.state.at_ms,
            next_id=self.state.next_id,
        )
        self._intake.batch, self._head = OpenBatch(), sealed.after
        return sealed

    def commit(self, batch: SealedBatch) -> None:
        """Write a sealed batch from this process: for tools and tests.

        Raises Fenced, NotDurable, NotReplicated, psycopg.Error.
        """
        if self._writer is None:
            raise psycopg.OperationalError("the engine has no connection to its database")
        if self._committer is None:
            self._committer = Committer(self._writer, self._shard, self.reliance)
        self._committer.commit(batch)

    def written(self, batch: SealedBatch, asked_at: float | None = None) -> None:
        """A batch is committed: its keys are found in the database from now on.

        `asked_at`: a moment (monotonic seconds) before it was written, which renewed the lease.
        """
        unwritten = self._intake.unwritten
        for key in batch.keys:
            unwritten.pop(key, None)
        if self._lease is not None and asked_at is not None:
            self._lease.renewed(asked_at)

    def _find(self, keys: list[str]) -> dict[str, int]:
        if self._reader is None:
            return {}
        return store.find_keys(self._reader, self._shard, keys, self.today)

    def _tell(self, seq: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The command and the answer of a `seq`; a few batches are kept: retries come together."""
        for batch in self._told:
            if batch.first_seq <= seq <= batch.last_seq:
                return batch.of(seq)
        if self._reader is None:
            return None
        found = store.read_batch(self._reader, self._shard, seq)
        if found is None:
            return None
        self._told.append(found)
        return found.of(seq)


def not_applied() -> NotApplied:
    """The answer to commands of a batch that could not be written."""
    return NotApplied("The engine could not store this.", hint="Ask again with the same key.")


def _as_bytes(raw: Any) -> bytes | PortalError:
    if isinstance(raw, bytes):
        return raw
    try:
        return encode_command(raw)
    except PortalError as error:
        return error
