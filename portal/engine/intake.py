"""From commands to answers: read, known by their keys, applied, and noted for the journal.

The part of the single writer that every command goes through; it knows no database but by the two
questions about keys that it is given. Compiled by mypyc where a C compiler is there, with the
same results.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from msgspec.structs import replace
from mypy_extensions import mypyc_attr

from portal.core.clock import Clock
from portal.core.errors import Conflict, PortalError
from portal.engine import ids
from portal.engine.apply import apply
from portal.engine.commands import (
    AnyCommand,
    ClockTick,
    Facts,
    MassQuote,
    PlaceOrder,
    parse_command,
)
from portal.engine.state import ShardState
from portal.engine.used_keys import UsedKeys

# An answer is JSON already: it goes to the journal and to whoever asked.
Answer = bytes | PortalError
# Which of these keys were used, and by which command; a command and what it was answered.
Finder = Callable[[list[str]], dict[str, int]]
Teller = Callable[[int], tuple[dict[str, Any], dict[str, Any]] | None]
_TICK = b'{"kind":"clock_tick"}'


@mypyc_attr(native_class=False)
class Poison(RuntimeError):
    """A command that no rule of ours can carry out: a defect, and the memory is in doubt."""

    def __init__(self, raw: bytes) -> None:
        super().__init__("a command could not be carried out")
        self.raw = raw


class OpenBatch:
    """What was applied since the last seal. `size`: bytes of its commands."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.answers: list[bytes] = []
        self.keys: list[tuple[str, int]] = []
        self.size = 0


class Intake:
    """Applies commands to a shard's state. `find` and `tell` ask the database."""

    def __init__(self, state: ShardState, clock: Clock, find: Finder, tell: Teller) -> None:
        self.state = state
        self.clock = clock
        self.find = find
        self.tell = tell
        self.batch = OpenBatch()
        self.used = UsedKeys()
        # Keys of commands that are not written yet, with those commands and their answers.
        self.unwritten: dict[str, tuple[bytes, bytes]] = {}
        # Commands that broke a rule's promises: sent again, they would stop everybody again.
        self.poison: set[bytes] = set()

    def begin(self, state: ShardState) -> None:
        """Go on with a state that was read back: nothing is unwritten."""
        self.state = state
        self.batch = OpenBatch()
        self.unwritten = {}
        self.used.turn_to(ids.day_of(self.now()))

    def now(self) -> int:
        """Time never runs backwards within a shard, whatever the machine's clock does.

        Keys are filed under its day too, so whoever looks for them must ask for the same one.
        """
        return max(self.clock(), self.state.at_ms)

    def add(self, raw_commands: Sequence[bytes | PortalError]) -> list[Answer]:
        """Apply commands to the open batch. Their answers count once it is committed.

        Raises Poison at a defect; then nothing of the open batch may be written.
        """
        commands: list[Any] = [self._read(raw) for raw in raw_commands]
        known = self._known(commands)
        answers: list[Answer] = []
        for place, raw in enumerate(raw_commands):
            command = commands[place]
            if isinstance(raw, bytes) and not isinstance(command, PortalError):
                answers.append(self._carry_out(raw, command, known))
            else:
                answers.append(command)
        return answers

    def _read(self, raw: bytes | PortalError) -> AnyCommand | PortalError:
        if not isinstance(raw, bytes):
            return raw
        if self.poison and raw in self.poison:
            return _defective()
        try:
            return parse_command(raw)
        except PortalError as error:
            return error

    def _known(self, commands: list[Any]) -> dict[str, int]:
        maybe: list[str] = []
        for command in commands:
            if not isinstance(command, PortalError):
                key: str | None = command.key
                if key is not None and self.used.may_hold(key):
                    maybe.append(key)
        return self.find(maybe) if maybe else {}

    def _carry_out(self, raw: bytes, command: Any, known: dict[str, int]) -> Answer:
        key: str | None = command.key
        if key is not None:
            earlier = self._earlier(raw, command, key, known)
            if earlier is not None:
                return earlier
        state = self.state
        now = self.now()
        if now >= state.due_ms:
            apply(state, ClockTick(), now)
            self._note(_TICK, None, b"")
            self.used.turn_to(ids.day_of(now))
            # A batch's keys are all filed under its last day.
            for early, _ in self.batch.keys:
                self.used.add(early)
        changes, next_id = state.changes, state.next_id
        events, transfers = len(changes.events), len(changes.transfers)
        try:
            said = orjson.dumps(apply(state, command, now))
        except PortalError as refusal:
            made = (len(changes.events), len(changes.transfers), state.next_id)
            if made != (events, transfers, next_id):
                self.poison.add(raw)
                raise Poison(raw) from refusal
            return refusal
        except Exception as defect:
            self.poison.add(raw)
            raise Poison(raw) from defect
        self._note(raw, key, said)
        return said

    def _note(self, raw: bytes, key: str | None, said: bytes) -> None:
        batch, seq = self.batch, self.state.seq
        batch.commands.append(b"[%d,%d,%b]" % (seq, self.state.at_ms, raw))
        batch.size += len(raw)
        if key is not None:
            batch.keys.append((key, seq))
            batch.answers.append(b'"%d":%b' % (seq, said))
            self.unwritten[key] = (raw, said)
            self.used.add(key)

    def _earlier(self, raw: bytes, command: Any, key: str, known: dict[str, int]) -> Answer | None:
        """What the key's first command was answered; None for a new key."""
        used = self.unwritten.get(key)
        if used is not None:
            same = used[0] == raw or asked(parse_command(used[0])) == asked(command)
            return used[1] if same else _other_content()
        seq = known.get(key)
        if seq is None:
            return None
        stored = self.tell(seq)
        if stored is None or asked(parse_command(stored[0])) != asked(command):
            return _other_content()
        return orjson.dumps(stored[1])


def asked(command: Any) -> Any:
    """What somebody asked for, without what the portal adds and may know better at a retry."""
    if isinstance(command, PlaceOrder):
        return replace(command, **_ADDED, **_ADDED_FEES)
    if isinstance(command, MassQuote):
        quotes = [replace(quote, **_ADDED_FEES) for quote in command.quotes]
        return replace(command, quotes=quotes, **_ADDED)
    return command


_ADDED: dict[str, Any] = {"facts": Facts(), "via_max_open": None}
_ADDED_FEES: dict[str, Any] = {"maker_fee_bps": 0, "taker_fee_bps": 0}


def _defective() -> PortalError:
    return PortalError(
        "The engine can't carry this out: a defect, which is in its log.",
        hint="Tell support; do not send it again.",
    )


def _other_content() -> PortalError:
    return Conflict(
        "This key was used for something else.", field="key", hint="Use a new key for it."
    )
