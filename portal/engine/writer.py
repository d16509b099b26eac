"""The engine's side of the process that writes (`portal.engine.writer_process`)."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass

import msgspec
import structlog

from portal.core.errors import Unavailable
from portal.engine.committing import Reliance
from portal.engine.connection import Identity
from portal.engine.store import SealedBatch
from portal.engine.writer_process import FAILURES, INTERRUPT, SIZE, Begin, Done, Store

# Batches that may be given at a time: one that is being committed, and the one behind it.
MOST_GIVEN = 2
_END_SECONDS = 2.0
_log = structlog.get_logger("engine")


class WriterGone(Unavailable):
    """The process that writes has ended; what was given to it may be written or not."""

    code = "unavailable"


@dataclass
class _Process:
    slots: list[int]
    child: subprocess.Popen[bytes]
    writer: asyncio.StreamWriter
    # Requests without an answer, the oldest first.
    asked: deque[asyncio.Future[None]]
    listening: asyncio.Task[None]


class Writer:
    """Commits batches in order, and tells of each when it is done. Lives on an event loop."""

    def __init__(self, url: str, shard: str, identity: Identity) -> None:
        self._url = url
        self._shard = shard
        self._identity = identity
        self._process: _Process | None = None
        self._given = 0

    async def start(self) -> None:
        """Have the process running, before it is needed."""
        process = self._process
        if process and process.child.poll() is None and not process.listening.done():
            return
        self._end_process()
        ours, theirs = socket.socketpair()
        slots = [_shared_file() for _ in range(MOST_GIVEN)]
        with theirs:
            numbers = (theirs.fileno(), *slots)
            child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "portal.engine.writer_process", *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                pass_fds=numbers,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        asked: deque[asyncio.Future[None]] = deque()
        listening = asyncio.ensure_future(_listen(reader, asked))
        self._process = _Process(slots, child, writer, asked, listening)

    async def begin(self, reliance: Reliance) -> None:
        """Write what comes from now on. Raises what keeps it from the database."""
        await self.start()
        begin = Begin(
            self._url, self._shard, self._identity.address, self._identity.token, reliance
        )
        await self._ask(begin)

    def store(self, batch: SealedBatch) -> "asyncio.Future[None]":
        """Commit a batch, behind those before it; no more than MOST_GIVEN may be under way.

        It fails with Fenced, NotDurable, NotReplicated, psycopg.Error, Skipped when one before it
        failed, or WriterGone.
        """
        process = self._process
        if process is None or len(process.asked) >= MOST_GIVEN:
            return _failed(WriterGone("The process that writes can't take a batch now."))
        content = msgspec.msgpack.encode(batch)
        self._given += 1
        slot = self._given % MOST_GIVEN
        # A socket takes a large batch in portions, whenever the engine has a moment for it.
        if os.pwrite(process.slots[slot], content, 0) != len(content):
            return _failed(OSError("a batch could not be handed over whole"))
        return self._ask(Store(slot, len(content)))

    def interrupt(self) -> None:
        """End a commit that waits for a standby server; it then failed."""
        if self._process is not None and self._process.child.poll() is None:
            self._process.child.send_signal(INTERRUPT)

    async def close(self) -> None:
        """End the process; what is under way is given a moment."""
        if self._process is None:
            return
        until = time.monotonic() + _END_SECONDS
        self._process.writer.close()
        child = self._process.child
        while child.poll() is None and time.monotonic() < until:
            await asyncio.sleep(0.01)
        self._end_process()

    def _ask(self, request: Begin | Store) -> "asyncio.Future[None]":
        process = self._process
        if process is None or process.listening.done():
            return _failed(WriterGone("The process that writes is gone."))
        asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        process.asked.append(asked)
        body = msgspec.msgpack.encode(request)
        process.writer.write(SIZE.pack(len(body)) + body)
        return asked

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.writer.close()
            if process.child.poll() is None:
                process.child.send_signal(signal.SIGKILL)
            process.child.wait()
            for slot in process.slots:
                os.close(slot)


async def _listen(reader: asyncio.StreamReader, asked: "deque[asyncio.Future[None]]") -> None:
    """Settle what was asked, until the process is gone."""
    try:
        while True:
            (size,) = SIZE.unpack(await reader.readexactly(SIZE.size))
            done = msgspec.msgpack.decode(await reader.readexactly(size), type=Done)
            if done.failure is not None:
                _fail(asked.popleft(), FAILURES[done.failure](done.text))
            elif not (oldest := asked.popleft()).done():
                oldest.set_result(None)
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        gone = WriterGone("The process that writes has ended.")
        while asked:
            _fail(asked.popleft(), gone)


def _shared_file() -> int:
    """A file in memory, or where there is no such thing, a temporary one."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("batch")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _failed(error: Exception) -> "asyncio.Future[None]":
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    failed.set_exception(error)
    return failed


def _fail(asked: "asyncio.Future[None]", error: Exception) -> None:
    if not asked.done():
        asked.set_exception(error)
