"""The single writer of a shard: applies batches of commands and commits each with its effects.

Memory runs ahead of the database by one batch at most. Whatever goes wrong while a batch is
written, the memory is thrown away and read back: the database is the truth.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog

from portal.core.clock import Clock, now_ms
from portal.core.errors import Conflict, PortalError, Unavailable
from portal.core.hashchain import canonical, link
from portal.engine import store
from portal.engine.apply import apply
from portal.engine.commands import AnyCommand, parse_command
from portal.engine.loading import read_state
from portal.engine.state import ShardState
from portal.engine.store import Head, JournalRow, ResultRow

_log = structlog.get_logger("engine")
Answer = dict[str, Any] | PortalError


class NotApplied(Unavailable):
    """The batch could not be written; with a key, asking again is safe."""

    code = "unavailable"


@dataclass(slots=True)
class _Applied:
    """A command that went in: its place in the journal and its answer."""

    command: AnyCommand
    raw: dict[str, Any]
    seq: int
    at_ms: int
    result: dict[str, Any]


class Sequencer:
    """One shard's writer. Not thread-safe: one caller at a time."""

    def __init__(self, url: str, shard: str = "main", *, clock: Clock = now_ms) -> None:
        self._url = url
        self._shard = shard
        self._clock = clock
        self._connection: store.Connection | None = None
        self._head: Head | None = None
        self.state = ShardState(shard)

    def start(self) -> None:
        """Take the shard over and read it into memory."""
        self._connection = psycopg.connect(self._url, autocommit=True)
        self._head = store.take_over(self._connection, self._shard)
        self._load()

    def stop(self) -> None:
        """Close the connection; the shard stays where it is."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def run(self, raw_commands: list[Any]) -> list[Answer]:
        """Apply and commit a batch; an answer or a refusal per command, in order.

        When the batch can't be written every command that went in is answered NotApplied, and
        the memory is rebuilt. Raises Fenced when another engine owns the shard now.
        """
        self._ensure_started()
        answers: list[Answer | None] = [None] * len(raw_commands)
        commands = _parse(raw_commands, answers)
        applied: dict[int, _Applied] = {}
        try:
            known = self._known(commands)
            for place, command in commands.items():
                answers[place] = self._one(place, command, raw_commands[place], known, applied)
            self._commit(list(applied.values()))
        except store.Fenced:
            self.stop()
            raise
        except Exception:
            _log.exception("batch failed", commands=len(raw_commands))
            failure = NotApplied(
                "The engine could not store this.", hint="Ask again with the same key."
            )
            for place in commands:
                answers[place] = failure
            self._reset()
        return [answer for answer in answers if answer is not None]

    def _one(
        self,
        place: int,
        command: AnyCommand,
        raw: dict[str, Any],
        known: dict[str, ResultRow],
        applied: dict[int, _Applied],
    ) -> Answer:
        fingerprint = _fingerprint(raw)
        if command.key and (earlier := known.get(command.key)):
            if earlier.fingerprint != fingerprint:
                return Conflict("This key was used for something else.", field="key")
            return earlier.result
        before = self._mark()
        try:
            result = apply(self.state, command, self._now())
        except PortalError as refusal:
            if self._mark() != before:
                raise RuntimeError(f"{command.kind} was refused half-way") from refusal
            return refusal
        applied[place] = _Applied(command, raw, self.state.seq, self.state.at_ms, result)
        if command.key:
            known[command.key] = ResultRow(command.key, self.state.seq, fingerprint, result)
        return result

    def _mark(self) -> tuple[int, int, int]:
        changes = self.state.changes
        return len(changes.events), len(changes.entries), self.state.next_id

    def _now(self) -> int:
        """Time never runs backwards within a shard, whatever the machine's clock does."""
        return max(self._clock(), self.state.at_ms)

    def _known(self, commands: dict[int, AnyCommand]) -> dict[str, ResultRow]:
        keys = [command.key for command in commands.values() if command.key]
        if not keys or self._connection is None:
            return {}
        rows = store.find_results(self._connection, self._shard, keys)
        return {row.key: row for row in rows}

    def _commit(self, applied: list[_Applied]) -> None:
        if not applied or self._connection is None or self._head is None:
            return
        changes = self.state.take_changes()
        journal = self._journal_row(applied, self._head.journal_hash)
        results = [
            ResultRow(item.command.key, item.seq, _fingerprint(item.raw), item.result)
            for item in applied
            if item.command.key
        ]
        self._head = store.write_batch(
            self._connection,
            self._shard,
            self._head,
            journal,
            changes,
            results,
            self.state.next_id,
        )

    def _journal_row(self, applied: list[_Applied], previous: str) -> JournalRow:
        commands = canonical([[item.seq, item.at_ms, item.raw] for item in applied])
        return JournalRow(
            applied[0].seq,
            applied[-1].seq,
            applied[-1].at_ms,
            commands,
            previous,
            link(previous, commands),
        )

    def _ensure_started(self) -> None:
        if self._connection is None or self._connection.closed:
            self.start()

    def _reset(self) -> None:
        """Forget everything; the next batch reads the shard back."""
        self.stop()
        self.state = ShardState(self._shard)

    def _load(self) -> None:
        if self._connection is None or self._head is None:
            raise RuntimeError("the sequencer is not connected")
        self.state = read_state(self._connection, self._shard)


def _parse(raw_commands: list[Any], answers: list[Answer | None]) -> dict[int, AnyCommand]:
    commands = {}
    for place, raw in enumerate(raw_commands):
        try:
            commands[place] = parse_command(raw)
        except PortalError as error:
            answers[place] = error
    return commands


def _fingerprint(raw: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(raw)).hexdigest()
