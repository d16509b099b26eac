"""The single writer of a shard: applies commands as they come and commits them in batches.

Commands go into the open batch at once, while the one before is being committed: memory runs
ahead of the database, and no answer leaves before its batch is written. Whatever goes wrong while
a batch is written, the memory is thrown away and read back: the database is the truth.
"""

import time
from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
import structlog
from msgspec.structs import replace

from portal.core.clock import Clock, now_ms
from portal.core.errors import Conflict, PortalError, Unavailable
from portal.engine import ids, partitions, recovery, store
from portal.engine.apply import apply
from portal.engine.commands import (
    AnyCommand,
    ClockTick,
    Facts,
    MassQuote,
    PlaceOrder,
    encode_command,
    parse_command,
)
from portal.engine.connection import Identity, connect
from portal.engine.lease import Lease
from portal.engine.proof import Proof
from portal.engine.quorum import require_durable, require_replicated, require_unchanged
from portal.engine.recovery import Copy
from portal.engine.sealing import seal
from portal.engine.state import ShardState
from portal.engine.store import Fenced, Head, SealedBatch
from portal.engine.used_keys import UsedKeys
from portal.engine.writing import BatchWriter

_log = structlog.get_logger("engine")
# An answer is JSON already: it goes to the journal and to whoever asked.
Answer = bytes | PortalError
_TICK = b'{"kind":"clock_tick"}'


class Poison(RuntimeError):
    """A command that no rule of ours can carry out: a defect, and the memory is in doubt."""

    def __init__(self, raw: bytes) -> None:
        super().__init__("a command could not be carried out")
        self.raw = raw


class NotApplied(Unavailable):
    """The batch could not be written; with a key, asking again is safe."""

    code = "unavailable"


class _Open:
    """What was applied since the last seal."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.answers: list[bytes] = []
        self.keys: list[tuple[str, int]] = []
        self.size = 0


class Sequencer:
    """One shard's writer. One caller at a time, but `commit` may run beside `add`."""

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
        self._clock = clock
        self._lease = lease
        self._identity = lease.identity if lease else Identity("a tool")
        self._sync_standbys = lease.sync_standbys if lease else 0
        self._standbys: str | None = None
        self._writer: store.Connection | None = None
        self._batches: BatchWriter | None = None
        self._reader: store.Connection | None = None
        self._head: Head | None = None
        self._open = _Open()
        # Keys of commands that are not written yet, with those commands and their answers.
        self._unwritten: dict[str, tuple[bytes, bytes]] = {}
        self.used_keys = UsedKeys()
        self._keys_epoch = -1
        # Commands that broke a rule's promises: sent again, they would stop everybody again.
        self._poison: set[bytes | PortalError] = set()
        self._proof = Proof({})
        self._day = -1
        self.state = ShardState(shard)

    @property
    def waiting(self) -> int:
        """Bytes of commands in the open batch; 0 when there is nothing to write."""
        return self._open.size

    @property
    def started(self) -> bool:
        """Whether the shard is in memory and its connections are open."""
        connections = (self._writer, self._reader)
        return all(c is not None and not c.closed for c in connections)

    @property
    def today(self) -> int:
        """The day under which keys are filed now."""
        return ids.day_of(self._now())

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
            self._standbys = require_durable(writer, self._sync_standbys).names
        if self._lease is None:
            self._head = store.take_over(writer, self._shard)
        else:
            self._head = store.read_head(writer, self._shard)
        self.state = self._recovered(writer, self._head, copy)
        self._open, self._unwritten, self._day = _Open(), {}, -1
        markets = self.state.markets.items()
        assets = {id_: (m.terms.base, m.terms.quote) for id_, m in markets}
        self._proof = Proof(assets, self.state.orders.values(), self.state.trades.values())
        for connection in (self._writer, self._reader):
            store.tune(connection)
        self._batches = BatchWriter(writer, self._shard, self._standbys)
        if self._keys_epoch != self._head.epoch:  # Others may have written in between.
            self.used_keys, self._keys_epoch = UsedKeys(), self._head.epoch
        self.used_keys.turn_to(self.today)

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
        self._writer = self._reader = self._batches = None

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
        answers: list[Answer] = []
        commands = [_defective() if raw in self._poison else _parse(raw) for raw in raw_commands]
        known = self._known(commands)
        for raw, command in zip(raw_commands, commands, strict=True):
            if isinstance(command, PortalError) or isinstance(raw, PortalError):
                answers.append(command)  # type: ignore[arg-type]
                continue
            try:
                answers.append(self._one(raw, command, known))
            except Poison as poison:
                self._poison.add(poison.raw)
                raise
        return answers

    def seal(self) -> SealedBatch | None:
        """Close the open batch and begin another; None when nothing was applied.

        Raises Unbalanced when money would not add up.
        """
        batch = self._open
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
        self._open, self._head = _Open(), sealed.after
        return sealed

    def commit(self, batch: SealedBatch) -> None:
        """Write a sealed batch. Raises Fenced, NotDurable, NotReplicated, psycopg.Error."""
        if self._writer is None or self._batches is None:
            raise psycopg.OperationalError("the engine has no connection to its database")
        self._make_partitions(self._writer, batch)
        asked_at = time.monotonic()
        try:
            self._batches.write(batch)
        except Fenced:
            if self._standbys is not None:
                require_unchanged(self._writer, self._sync_standbys, self._standbys)
            raise
        require_replicated(self._writer)
        if self._lease is not None:
            self._lease.renewed(asked_at)

    def written(self, batch: SealedBatch) -> None:
        """A batch is committed: its keys are found in the database from now on."""
        for key in batch.keys:
            self._unwritten.pop(key, None)

    def _one(self, raw: bytes, command: AnyCommand, known: dict[str, int]) -> Answer:
        if command.key and (earlier := self._earlier(raw, command, known)) is not None:
            return earlier
        now = self._now()
        if now >= self.state.due_ms:
            apply(self.state, ClockTick(), now)
            self._record(_TICK, None, b"")
            self.used_keys.turn_to(ids.day_of(now))
        before = self._mark()
        try:
            answer = apply(self.state, command, now)
        except PortalError as refusal:
            if self._mark() != before:
                raise Poison(raw) from refusal
            return refusal
        except Exception as defect:
            raise Poison(raw) from defect
        said = orjson.dumps(answer)
        self._record(raw, command.key, said)
        return said

    def _record(self, raw: bytes, key: str | None, said: bytes) -> None:
        batch, seq = self._open, self.state.seq
        batch.commands.append(b"[%d,%d,%b]" % (seq, self.state.at_ms, raw))
        batch.size += len(raw)
        if key:
            batch.keys.append((key, seq))
            batch.answers.append(b'"%d":%b' % (seq, said))
            self._unwritten[key] = raw, said
            self.used_keys.add(key)

    def _mark(self) -> tuple[int, int, int]:
        changes = self.state.changes
        return len(changes.events), len(changes.transfers), self.state.next_id

    def _earlier(self, raw: bytes, command: AnyCommand, known: dict[str, int]) -> Answer | None:
        """What the key's first command was answered; None for a new key."""
        key = str(command.key)
        if used := self._unwritten.get(key):
            same = used[0] == raw or asked(parse_command(used[0])) == asked(command)
            return used[1] if same else _other_content()
        if key not in known or self._reader is None:
            return None
        stored = store.read_answer(self._reader, self._shard, known[key])
        if stored is None:
            return _other_content()
        same = asked(parse_command(stored[0])) == asked(command)
        return orjson.dumps(stored[1]) if same else _other_content()

    def _known(self, commands: Sequence[AnyCommand | PortalError]) -> dict[str, int]:
        may_hold = self.used_keys.may_hold
        keys = [
            command.key
            for command in commands
            if not isinstance(command, PortalError) and command.key and may_hold(command.key)
        ]
        if not keys or self._reader is None:
            return {}
        return store.find_keys(self._reader, self._shard, keys, self.today)

    def _now(self) -> int:
        """Time never runs backwards within a shard, whatever the machine's clock does.

        Keys are filed under its day too, so whoever looks for them must ask for the same one.
        """
        return max(self._clock(), self.state.at_ms)

    def _make_partitions(self, writer: store.Connection, batch: SealedBatch) -> None:
        day = ids.day_of(batch.at_ms)
        if day != self._day:
            partitions.ensure(writer, batch.head.number, day, day + 1)
            self._day = day


def not_applied() -> NotApplied:
    """The answer to commands of a batch that could not be written."""
    return NotApplied("The engine could not store this.", hint="Ask again with the same key.")


def _defective() -> PortalError:
    return PortalError(
        "The engine can't carry this out: a defect, which is in its log.",
        hint="Tell support; do not send it again.",
    )


def asked(command: AnyCommand) -> Any:
    """What somebody asked for, without what the portal adds and may know better at a retry."""
    if isinstance(command, PlaceOrder):
        return replace(command, **_ADDED, **_ADDED_FEES)
    if isinstance(command, MassQuote):
        quotes = [replace(quote, **_ADDED_FEES) for quote in command.quotes]
        return replace(command, quotes=quotes, **_ADDED)
    return command


_ADDED: dict[str, Any] = {"facts": Facts(), "via_max_open": None}
_ADDED_FEES: dict[str, Any] = {"maker_fee_bps": 0, "taker_fee_bps": 0}


def _other_content() -> PortalError:
    return Conflict(
        "This key was used for something else.", field="key", hint="Use a new key for it."
    )


def _as_bytes(raw: Any) -> bytes | PortalError:
    if isinstance(raw, bytes):
        return raw
    try:
        return encode_command(raw)
    except PortalError as error:
        return error


def _parse(raw: bytes | PortalError) -> AnyCommand | PortalError:
    if isinstance(raw, PortalError):
        return raw
    try:
        return parse_command(raw)
    except PortalError as error:
        return error
