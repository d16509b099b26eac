"""Clients that send commands in an open loop, through every fault, and keep their own log.

A command has a key and is sent again under it until there is an answer. The log is all the
checks know of what was acknowledged; nothing in it comes from the database.
"""

import asyncio
import itertools
import json
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from portal.engine import frames
from tests.crash.traffic import Trader

_SILENCE_SECONDS = 2.0
_MOST_PENDING = 400
_TRY_AGAIN = {"unavailable", "too_many_requests"}
Address = tuple[str, int]


@dataclass(slots=True)
class Sent:
    """One command of a client and what became of it. Times are ticks of the log's counter."""

    key: str
    raw: dict[str, Any]
    first_sent: int
    answered: int | None = None
    result: dict[str, Any] | None = None
    refusal: dict[str, Any] | None = None
    times_sent: int = 0
    # The client gave an attempt up while the engine may still have been about to carry it out.
    left_behind: bool = False
    # It is the body of a request to the gateway, which made the command of it.
    by_gateway: bool = False
    ids: set[int] = field(default_factory=set)


class Log:
    """What all clients of a world sent and were told."""

    def __init__(self) -> None:
        self.ticks = itertools.count(1)
        self.sent: list[Sent] = []
        self.contradictions: list[str] = []
        self.postponed = 0

    @property
    def acknowledged(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.result is not None]

    @property
    def refused(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.refusal is not None and sent.result is None]

    @property
    def open(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.result is None and sent.refusal is None]


class Client:
    """One connection at a time to one of several engines; retries whatever is unanswered."""

    def __init__(
        self,
        name: str,
        addresses: list[Address],
        is_frozen: Callable[[Address], bool],
        token: str,
        trader: Trader,
        log: Log,
        choose: random.Random,
    ) -> None:
        self.name = name
        self._addresses = addresses
        self._is_frozen = is_frozen
        self._token = token
        self._trader = trader
        self._log = log
        self._choose = choose
        self._numbers = itertools.count(1)
        self._ids = itertools.count(1)
        self._by_id: dict[int, Sent] = {}
        self._waiting: deque[Sent] = deque()
        self._pending: dict[str, Sent] = {}
        self._acknowledged: list[Sent] = []
        self._writer: asyncio.StreamWriter | None = None
        self._turn = 0
        self._heard = 0.0
        self.sending = False

    @property
    def idle(self) -> bool:
        return not self._pending

    def waiting_for(self) -> str:
        """What it waits for, in words."""
        first = next(iter(self._pending.values()), None)
        return (
            f"{self.name} at {self._address}, {'connected' if self._writer else 'away'}:"
            f" {len(self._pending)} pending, {len(self._waiting)} to be sent, first {first}"
        )

    async def connect_for_ever(self) -> None:
        """Stay connected to whichever engine answers; runs until cancelled."""
        while True:
            try:
                reader, self._writer = await asyncio.open_connection(*self._address)
                self._heard = time.monotonic()
                await self._converse(reader, self._writer)
            except (OSError, EOFError, frames.BadFrame):
                pass
            self._turn += 1
            self.hang_up()
            await asyncio.sleep(0.02)

    async def send_for_ever(self, per_second: float) -> None:
        """New commands at random moments of the given rate, whatever the answers do."""
        while True:
            await asyncio.sleep(self._choose.expovariate(per_second))
            if self.sending and len(self._pending) < _MOST_PENDING:
                self._new_command()
            self._mind_silence()
            while self._waiting and self._writer is not None:
                self._send(self._waiting.popleft())

    def hang_up(self) -> None:
        """Drop the connection with everything that was not read from it yet."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None
        self._by_id.clear()
        self._waiting = deque(self._pending.values())
        for sent in self._waiting:
            sent.ids.clear()

    def ask_again(self) -> None:
        """Send what was acknowledged since the last time once more, under the same keys."""
        for sent in self._acknowledged:
            self._pending[sent.key] = sent
            self._waiting.append(sent)
        self._acknowledged = []

    def leave(self) -> None:
        """Hang up on an engine that works, as a client with a bad network does."""
        for sent in self._pending.values():
            sent.left_behind = sent.left_behind or bool(sent.ids)
        self.hang_up()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frames.pack({"token": self._token}))
        while True:
            header = await reader.readexactly(frames.HEADER.size)
            body = await reader.readexactly(frames.length_of(header))
            if writer is not self._writer:
                return
            self._heard = time.monotonic()
            self._take(frames.unpack(body))

    @property
    def _address(self) -> Address:
        return self._addresses[self._turn % len(self._addresses)]

    def _mind_silence(self) -> None:
        """Try another engine when this one says nothing for too long."""
        if self._pending and time.monotonic() - self._heard > _SILENCE_SECONDS:
            self._heard = time.monotonic()
            if self._is_frozen(self._address):
                self.hang_up()
            else:
                self.leave()

    def _new_command(self) -> None:
        key = f"{self.name}:{next(self._numbers)}"
        sent = Sent(key, {**self._trader.command(), "key": key}, next(self._log.ticks))
        self._log.sent.append(sent)
        self._pending[key] = sent
        self._waiting.append(sent)

    def _send(self, sent: Sent) -> None:
        for _ in range(2 if self._choose.random() < 0.02 else 1):
            number = next(self._ids)
            self._by_id[number] = sent
            sent.ids.add(number)
            sent.times_sent += 1
            if self._writer is not None:
                self._writer.write(_frame({"id": number, "command": sent.raw}))

    def _take(self, reply: dict[str, Any]) -> None:
        sent = self._by_id.pop(reply["id"])
        sent.ids.discard(reply["id"])
        error = reply.get("error")
        if error is not None and error["code"] in _TRY_AGAIN:
            self._log.postponed += 1
            if sent.key in self._pending and not sent.ids:
                self._waiting.append(sent)
            return
        if error is not None and sent.result is not None:
            self._log.contradictions.append(f"{sent.key}: {sent.result}, then {error}")
        elif error is not None:
            sent.refusal = error
        else:
            self._accept(sent, reply["result"])
        if not sent.ids:
            self._pending.pop(sent.key, None)

    def _accept(self, sent: Sent, result: dict[str, Any]) -> None:
        if sent.result is not None and sent.result != result:
            self._log.contradictions.append(f"{sent.key}: {sent.result}, then {result}")
        if sent.result is None:
            sent.result, sent.answered = result, next(self._log.ticks)
            self._acknowledged.append(sent)
            self._trader.learn(sent.raw, result)


def _frame(message: dict[str, Any]) -> bytes:
    """As `frames.pack`, which can't write the wrong numbers that are sent here on purpose."""
    body = json.dumps(message).encode()
    return frames.HEADER.pack(len(body)) + body
