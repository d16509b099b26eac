"""How a busy process hands commands to the engine: many at once over one connection (asyncio).

Nothing waits for the answer before it. While few frames are out, a command leaves in the turn of
the event loop in which it came; while many are, commands gather and leave together, so that a
full pipe makes larger frames instead of a longer queue.

Every answer belongs to the frame whose number it carries; numbers are never used twice, so an
answer that comes too late reaches nobody. When the connection is lost, commands with a key are
sent again over the next one (the engine answers them once), and the others are answered with
Unavailable: only their sender can know whether to ask again.
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from portal.core.errors import PortalError, Unavailable, from_dict
from portal.core.settings import Settings
from portal.engine import frames

Answer = dict[str, Any] | PortalError
MOST_COMMANDS = 100
MOST_BYTES = frames.MAX_FRAME // 2
# Beyond this many unanswered frames, commands gather until a frame is full or an answer came.
GATHER_FROM = 8
CONNECT_SECONDS = 2.0
STEADY_SECONDS = 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
LOOK_SECONDS = 0.25
# An engine with frames to answer that says nothing for so long is asked over another connection.
SILENCE_SECONDS = 3.0
_log = structlog.get_logger(__name__)


class _One(Struct):
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class _Reply(_One):
    id: int = 0
    results: list[_One] | None = None


_REPLY = msgspec.json.Decoder(_Reply)


class _Ask:
    """Some commands that are answered together."""

    __slots__ = ("answers", "commands", "deadline", "done", "future", "keyed", "left")

    def __init__(
        self,
        commands: Sequence[bytes],
        keyed: bool,
        deadline: float,
        future: asyncio.Future[list[Answer]],
        done: Callable[[], None] | None,
    ) -> None:
        self.commands, self.keyed, self.deadline = commands, keyed, deadline
        self.future, self.done = future, done
        self.answers: list[Answer | None] = [None] * len(commands)
        self.left = len(commands)

    def answer(self, begin: int, answers: list[Answer]) -> None:
        """Keep the answers to the commands from number `begin` on."""
        self.answers[begin : begin + len(answers)] = answers
        self.left -= len(answers)
        if not self.left:
            if self.done is not None:
                self.done()
            # Whoever asked may have gone away; what was asked for happened all the same.
            if not self.future.done():
                self.future.set_result(self.answers)  # type: ignore[arg-type]


# Some commands of an ask that travel together: from one number up to before another. All its
# parts are either in the queue or in one sent frame, so that each is answered once.
_Part = tuple[_Ask, int, int]


class StreamClient:
    """One connection to the engine for one event loop. Not thread-safe."""

    def __init__(self, settings: Settings, *, timeout_seconds: float = 10.0) -> None:
        self._targets = settings.engine_targets
        self._token = settings.engine_token.get_secret_value()
        self._timeout = timeout_seconds
        self._ids = itertools.count(1)
        self._queue: deque[_Part] = deque()
        self._queued = 0
        self._sent: dict[int, list[_Part]] = {}
        self._wire: _Wire | None = None
        self._flush_is_due = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Connect, and stay connected, from the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            self._loop.create_task(self._stay_connected()),
            self._loop.create_task(self._watch_deadlines()),
        ]

    async def close(self) -> None:
        """Let go of the engine; what is unanswered gets Unavailable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._wire is not None:
            self._wire.abort()
        for part in [*self._take_sent(), *self._queue]:
            _give_up(part)
        self._queue.clear()
        self._queued = 0

    @property
    def connected(self) -> bool:
        """Whether commands can be sent now."""
        return self._wire is not None

    @property
    def waiting(self) -> int:
        """Commands without an answer so far."""
        return self._queued + sum(map(_count, self._sent.values()))

    def ask(
        self, commands: Sequence[bytes], *, keyed: bool, done: Callable[[], None] | None = None
    ) -> asyncio.Future[list[Answer]]:
        """Send commands (JSON); the future has one answer each, in order: result or refusal.

        `keyed`: each has a `key`, so that sending it again is harmless. `done` is called once
        all are answered, also when nobody waits for the future any more.
        """
        future: asyncio.Future[list[Answer]] = self._loop.create_future()
        ask = _Ask(commands, keyed, self._loop.time() + self._timeout, future, done)
        if self._wire is None:
            _give_up((ask, 0, len(commands)))
            return future
        self._queue.append((ask, 0, len(commands)))
        self._queued += len(commands)
        self._flush_soon()
        return future

    def _flush_soon(self) -> None:
        if not self._flush_is_due and self._queue:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        out = []
        while self._queue and self._may_send():
            number, parts = next(self._ids), self._next_parts()
            self._sent[number] = parts
            commands = [ask.commands[begin:end] for ask, begin, end in parts]
            body = b'{"id":%d,"commands":[%b]}' % (number, b",".join(chain(*commands)))
            out.append(frames.HEADER.pack(len(body)) + body)
        if out and self._wire is not None:
            if len(self._sent) == len(out):
                self._wire.heard = self._loop.time()  # It had nothing to say before.
            self._wire.send(b"".join(out))

    def _may_send(self) -> bool:
        wire = self._wire
        if wire is None or wire.full:
            return False
        return len(self._sent) < GATHER_FROM or self._queued >= MOST_COMMANDS

    def _next_parts(self) -> list[_Part]:
        """What the next frame takes along: as many commands as fit, at least one."""
        parts: list[_Part] = []
        room, size = MOST_COMMANDS, 0
        while self._queue and room:
            ask, begin, end = self._queue.popleft()
            at = begin
            for command in ask.commands[begin : begin + room]:
                size += len(command)
                if size > MOST_BYTES and room < MOST_COMMANDS:
                    break
                at, room = at + 1, room - 1
            if at > begin:
                parts.append((ask, begin, at))
                self._queued -= at - begin
            if at < end:
                self._queue.appendleft((ask, at, end))
                break
        return parts

    def _received(self, body: bytes) -> None:
        """A frame of the engine. Raises BadFrame for one that can't be ours."""
        try:
            reply = _REPLY.decode(body)
        except msgspec.DecodeError as error:
            raise frames.BadFrame(str(error)) from error
        parts = self._sent.pop(reply.id, None)
        if parts is None:
            return  # Too late: its askers were told so.
        count = _count(parts)
        replies = [reply] * count if reply.results is None else reply.results
        if len(replies) != count:
            self._sent[reply.id] = parts
            raise frames.BadFrame(f"{len(replies)} answers to {count} commands")
        answers, at = [_read(one) for one in replies], 0
        for ask, begin, end in parts:
            ask.answer(begin, answers[at : at + end - begin])
            at += end - begin

    async def _stay_connected(self) -> None:
        pause = FIRST_PAUSE
        for number, (host, port) in enumerate(itertools.cycle(self._targets), 1):
            began = self._loop.time()
            with contextlib.suppress(OSError, TimeoutError):
                await self._serve(host, port)
            if self._loop.time() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE
            if number % len(self._targets) == 0:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)

    async def _serve(self, host: str, port: int) -> None:
        """One connection, from its beginning to its end; only an engine that leads takes one."""
        wire = _Wire(self._received, self._flush_soon)
        async with asyncio.timeout(CONNECT_SECONDS):
            await self._loop.create_connection(lambda: wire, host, port)
        wire.send(frames.pack({"token": self._token}))
        self._wire = wire
        self._flush_soon()
        try:
            await wire.lost.wait()
        finally:
            self._wire = None
        _log.warning("the engine's connection is lost", unanswered=self.waiting)
        self._after_loss()

    def _after_loss(self) -> None:
        again = []
        for part in self._take_sent():
            if part[0].keyed:
                again.append(part)
            else:
                _give_up(part)
        self._queue.extendleft(reversed(again))
        self._queued += _count(again)

    def _take_sent(self) -> list[_Part]:
        parts = [part for sent in self._sent.values() for part in sent]
        self._sent.clear()
        return parts

    async def _watch_deadlines(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._loop.time()
            while self._queue and self._queue[0][0].deadline < now:
                part = self._queue.popleft()
                self._queued -= part[2] - part[1]
                _give_up(part)
            wire = self._wire
            if wire is not None and self._sent and now - wire.heard > SILENCE_SECONDS:
                # A process that stands still keeps its connections, and another may lead by now.
                wire.abort()
            late = [n for n, parts in self._sent.items() if parts[0][0].deadline < now]
            for number in late:
                for part in self._sent.pop(number):
                    _give_up(part)
            if late and wire is not None:
                wire.abort()


class _Wire(asyncio.Protocol):
    """The connection: cuts what arrives into frames."""

    def __init__(self, received: Callable[[bytes], None], room: Callable[[], None]) -> None:
        self._received, self._room = received, room
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.full = False
        self.heard = self._loop.time()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever keeps the connection."""
        self.lost.set()

    def pause_writing(self) -> None:
        """The engine does not read as fast as we write."""
        self.full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self.full = False
        self._room()

    def send(self, data: bytes) -> None:
        """Write without waiting."""
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand on every whole frame."""
        self.heard = self._loop.time()
        buffer = self._buffer
        buffer += data
        start, size = 0, frames.HEADER.size
        try:
            while len(buffer) - start >= size:
                end = start + size + frames.length_of(bytes(buffer[start : start + size]))
                if len(buffer) < end:
                    break
                self._received(bytes(buffer[start + size : end]))
                start = end
        except frames.BadFrame as error:
            _log.error("the engine said nonsense", error=str(error))
            self.abort()
        del buffer[:start]
        self._room()


def _read(answer: _One) -> Answer:
    if answer.error is not None:
        return from_dict(answer.error)
    return answer.result if answer.result is not None else {}


def _count(parts: list[_Part]) -> int:
    count = 0
    for _, begin, end in parts:
        count += end - begin
    return count


def _give_up(part: _Part) -> None:
    ask, begin, end = part
    with contextlib.suppress(asyncio.InvalidStateError):
        ask.answer(begin, [_away() for _ in range(begin, end)])


def _away() -> Unavailable:
    return Unavailable(
        "The trading engine does not answer just now.",
        hint="Your request may have been carried out. Ask again with the same key in a moment.",
    )
