"""One client's connection at the engine: frames in, commands to the batcher, answers out.

A client that sends more than its share is not read from until answers have gone out, and one that
does not read its answers is let go: neither slows the others.
"""

import asyncio
import hmac
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import msgspec
import orjson

from portal.core.errors import InvalidInput, PortalError
from portal.engine import frames

MOST_COMMANDS = 100
MOST_WAITING = 4_000
MOST_UNREAD = 8_000_000
GREETING_SECONDS = 5.0
_SIZE = frames.HEADER.size
_HEAD = frames.HEADER.pack
_READ = frames.REQUEST.decode


class Many:
    """The answers to a frame of several commands; it is answered when the last one is there."""

    __slots__ = ("answers", "id", "left")

    def __init__(self, id_: int, size: int) -> None:
        self.id = id_
        self.left = size
        self.answers: list[bytes] = [b""] * size


# Where an answer goes: to a frame's only command, or to a place in a frame of several.
Sink = int | tuple[Many, int]
Item = tuple[Sink, bytes]
# What a command came to: JSON already, or a refusal.
Answer = bytes | PortalError


class Inbox(Protocol):
    """Who takes the commands."""

    def arrived(self, client: "Client", items: Sequence[Item]) -> None:
        """Commands of a client, in order."""
        ...


class Client:
    """A connection that has to show the token before anything else: an asyncio protocol."""

    def __init__(self, token: str, inbox: Inbox, clients: "set[Client]") -> None:
        self._token = token.encode()
        self._inbox = inbox
        self._clients = clients
        self._buffer = bytearray()
        self._known = False
        self._waiting = 0
        self._unread = False
        self._paused = False
        self._greeting: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.queue: deque[Item] = deque()

    @property
    def gone(self) -> bool:
        """Whether nobody is there to be answered."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the greeting, but not for ever."""
        # uvloop's transports do what asyncio's do, without being derived from them.
        self._transport = cast(asyncio.Transport, transport)
        self._clients.add(self)
        self._greeting = asyncio.get_running_loop().call_later(GREETING_SECONDS, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """What it sent is still carried out."""
        self._clients.discard(self)
        if self._greeting is not None:
            self._greeting.cancel()

    def eof_received(self) -> bool:
        """It sends no more: the connection is closed."""
        return False

    def data_received(self, data: bytes) -> None:
        """Cut what arrives into frames; what is no frame of ours ends the connection."""
        self._buffer += data
        items: list[Item] = []
        try:
            for body in self._bodies():
                if self._known:
                    self._read(body, items)
                else:
                    self._greet(body)
        except (frames.BadFrame, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.close()
        if items:
            self._waiting += len(items)
            self._inbox.arrived(self, items)
            self._set_reading()

    def pause_writing(self) -> None:
        """It does not read its answers: nothing more is read from it."""
        self._unread = True
        self._set_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._unread = False
        self._set_reading()

    def answer(self, answers: Sequence[tuple[Sink, Answer]]) -> None:
        """Send answers, all in one piece."""
        self._waiting -= len(answers)
        packed = [frame for sink, answer in answers if (frame := _frame(sink, answer))]
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(b"".join(packed))
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self._transport.abort()
        self._set_reading()

    def close(self) -> None:
        """End the connection once what was answered is sent."""
        if self._transport is not None:
            self._transport.close()

    def _too_late(self) -> None:
        if not self._known:
            self.close()

    def _bodies(self) -> list[bytes]:
        buffer, start, bodies = self._buffer, 0, []
        last = len(buffer) - _SIZE
        with memoryview(buffer) as view:
            while start <= last:
                begin = start + _SIZE
                end = begin + frames.length_at(view, start)
                if end > last + _SIZE:
                    break
                bodies.append(bytes(view[begin:end]))
                start = end
        del buffer[:start]
        return bodies

    def _greet(self, body: bytes) -> None:
        if not hmac.compare_digest(frames.HELLO.decode(body).token.encode(), self._token):
            raise frames.BadFrame("wrong token")
        self._known = True

    def _read(self, body: bytes, items: list[Item]) -> None:
        request = _READ(body)
        if request.commands is None:
            items.append((request.id, bytes(request.command)))
        elif 0 < len(request.commands) <= MOST_COMMANDS:
            many = Many(request.id, len(request.commands))
            items += [((many, at), bytes(raw)) for at, raw in enumerate(request.commands)]
        else:
            self._waiting += 1
            refusal = InvalidInput(
                f"A frame holds 1 to {MOST_COMMANDS} commands.",
                field="commands",
                value=len(request.commands),
            )
            self.answer([(request.id, refusal)])

    def _set_reading(self) -> None:
        pause = self._unread or self._waiting > MOST_WAITING
        if self.gone or pause == self._paused or self._transport is None:
            return
        self._paused = pause
        (self._transport.pause_reading if pause else self._transport.resume_reading)()


def _frame(sink: Sink, answer: Answer) -> bytes:
    """An answer as it is sent; nothing while others of its frame are missing."""
    if isinstance(sink, int):
        if isinstance(answer, bytes):
            body = b'{"id":%d,"result":%b}' % (sink, answer)
        else:
            body = b'{"id":%d,"error":%b}' % (sink, orjson.dumps(answer.as_dict()))
        return _HEAD(len(body)) + body
    many, at = sink
    if isinstance(answer, bytes):
        many.answers[at] = b'{"result":%b}' % answer
    else:
        many.answers[at] = b'{"error":%b}' % orjson.dumps(answer.as_dict())
    many.left -= 1
    if many.left:
        return b""
    body = b'{"id":%d,"results":[%b]}' % (many.id, b",".join(many.answers))
    return _HEAD(len(body)) + body


def listener(token: str, inbox: Inbox, clients: "set[Client]") -> Callable[[], asyncio.Protocol]:
    """What makes a client of each connection."""
    # Compiled classes inherit from no others; an event loop asks for the methods only.
    return lambda: cast(asyncio.Protocol, Client(token, inbox, clients))
