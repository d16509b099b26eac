"""The process that writes: it takes sealed batches from the engine and commits them in order.

The engine applies commands while a batch commits; two threads of one interpreter would keep each
other waiting. It is started by its engine and lives as long: it ends when the engine's end of the
socket closes. After a batch that failed it writes none, until it is told to begin again.
"""

import os
import signal
import socket
import struct
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import msgspec
import psycopg

from portal.engine.committing import Committer, Reliance
from portal.engine.connection import Connection, Identity, connect, in_a_line
from portal.engine.quorum import NotDurable, NotReplicated
from portal.engine.store import Fenced, SealedBatch

SIZE = struct.Struct(">Q")
INTERRUPT = signal.SIGUSR1
_CANCEL_SECONDS = 2.0


class Skipped(Exception):
    """A batch before this one was not written, so this one was not tried."""


# What a batch can fail with, by the name under which the engine is told.
FAILURES: dict[str, type[Exception]] = {
    "fenced": Fenced,
    "not_durable": NotDurable,
    "not_replicated": NotReplicated,
    "skipped": Skipped,
    "database": psycopg.OperationalError,
}


class Begin(msgspec.Struct, tag="begin"):
    """Connect, and write what comes from now on."""

    url: str
    shard: str
    address: str
    token: str
    reliance: Reliance


class Store(msgspec.Struct, tag="store"):
    """Commit the batch that is in the shared file `slot`, in its first `size` bytes."""

    slot: int
    size: int


class Done(msgspec.Struct):
    """How the oldest unanswered request ended: `failure` names one of FAILURES."""

    failure: str | None = None
    text: str = ""


_REQUESTS = msgspec.msgpack.Decoder(Begin | Store)
_BATCHES = msgspec.msgpack.Decoder(SealedBatch)


class Writer:
    """The process's work: one request after the other. `slots`: files that hold batches."""

    def __init__(self, slots: list[int]) -> None:
        self._slots = slots
        self._connection: Connection | None = None
        self._committer: Committer | None = None

    def carry_out(self, request: Begin | Store) -> Done:
        """Do what is asked; whatever goes wrong, nothing is written until the next beginning."""
        try:
            if isinstance(request, Begin):
                self._begin(request)
            elif self._committer is None:
                raise Skipped("the batch before it was not written")
            else:
                content = os.pread(self._slots[request.slot], request.size, 0)
                if len(content) != request.size:
                    raise OSError("a batch was not handed over whole")
                self._committer.commit(_BATCHES.decode(content))
        except Exception as error:
            self._committer = None
            return Done(_name(error), in_a_line(error) or type(error).__name__)
        return Done()

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """End a commit that waits for a standby server; it then failed."""
        if self._connection is not None and not self._connection.closed:
            with suppress(psycopg.Error):
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def _begin(self, request: Begin) -> None:
        self._committer = None
        if self._connection is not None:
            self._connection.close()
        identity = Identity(request.address, request.token)
        self._connection = connect(request.url, identity)
        self._committer = Committer(self._connection, request.shard, request.reliance)


def _name(error: Exception) -> str:
    named = (name for name, kind in FAILURES.items() if isinstance(error, kind))
    return next(named, "database")


def _read(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        more = connection.recv_into(view[got:])
        if not more:
            return None
        got += more
    view.release()
    return bytes(data)


def serve(connection: socket.socket, slots: list[int]) -> None:
    """Carry out requests until the engine is gone."""
    writer = Writer(slots)
    signal.signal(INTERRUPT, writer.interrupt)
    while (head := _read(connection, SIZE.size)) is not None:
        body = _read(connection, *SIZE.unpack(head))
        if body is None:
            return
        done: Any = msgspec.msgpack.encode(writer.carry_out(_REQUESTS.decode(body)))
        connection.sendall(SIZE.pack(len(done)) + done)


def main() -> None:
    """Serve on a socket, with batches in files; their numbers are the arguments."""
    # Whoever stops the engine may stop its whole group: the engine says when it is over.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    number, *slots = map(int, sys.argv[1:])
    with socket.socket(fileno=number) as connection, suppress(OSError):
        serve(connection, slots)
    os._exit(0)


if __name__ == "__main__":
    main()
