"""The engine process: takes commands from the other processes, one batch at a time.

A batch is whatever arrived while the one before was committed, so there is no timer to tune.
The queue is bounded: beyond it callers are told to come back. A lock in PostgreSQL makes sure
that one engine serves a shard; others stand by.
"""

import asyncio
import hmac
import signal
from typing import Any

import psycopg
import structlog

from portal.core.db import libpq_url, sqlalchemy_url
from portal.core.errors import PortalError, TooManyRequests
from portal.core.settings import Settings
from portal.engine import frames
from portal.engine.sequencer import NotApplied, Sequencer
from portal.engine.store import Fenced

MAX_QUEUE = 10_000
MAX_BATCH = 1_000
_LOCK_SPACE = 0x0E61
_STANDBY_SECONDS = 0.5
_log = structlog.get_logger("engine")


class EngineServer:
    """Serves one shard on a TCP port until stopped."""

    def __init__(self, settings: Settings, shard: str = "main") -> None:
        self._settings = settings
        self._shard = shard
        self._url = libpq_url(sqlalchemy_url(settings.required_database_url))
        self._sequencer = Sequencer(self._url, shard)
        self._queue: asyncio.Queue[tuple[Any, asyncio.Future[Any]]] = asyncio.Queue(MAX_QUEUE)
        self._clients: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Wait for the shard, then serve until cancelled. Raises Fenced when it is taken over."""
        async with await self._lease() as lease:
            await asyncio.to_thread(self._sequencer.start)
            server = await asyncio.start_server(
                self._serve_client, self._settings.engine_host, self._settings.engine_port
            )
            _log.info("serving", shard=self._shard, port=self._settings.engine_port)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._write_batches())
                    tasks.create_task(_watch(lease))
            finally:
                server.close()
                await self._let_clients_go()
                self._sequencer.stop()

    async def _let_clients_go(self) -> None:
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _lease(self) -> psycopg.AsyncConnection[Any]:
        """A connection that holds the shard's lock; waits as a standby until it is free."""
        connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        waiting = False
        while True:
            cursor = await connection.execute(
                "SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_LOCK_SPACE, self._shard)
            )
            row = await cursor.fetchone()
            if row and row[0]:
                return connection
            if not waiting:
                waiting = True
                _log.info("standing by", shard=self._shard)
            await asyncio.sleep(_STANDBY_SECONDS)

    async def _write_batches(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < MAX_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            commands = [command for command, _ in batch]
            try:
                answers = await asyncio.to_thread(self._sequencer.run, commands)
            except Fenced:
                raise
            except Exception as error:
                _log.error("the database does not answer", error=str(error))
                answers = [_not_written()] * len(batch)
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    async def _serve_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
        try:
            await self._greet(reader)
            async with asyncio.TaskGroup() as answers:
                while True:
                    message = await _read(reader)
                    answers.create_task(self._answer(message, writer))
        except* (asyncio.IncompleteReadError, ConnectionError, frames.BadFrame, TimeoutError):
            pass
        finally:
            writer.close()

    async def _greet(self, reader: asyncio.StreamReader) -> None:
        hello = await asyncio.wait_for(_read(reader), 5)
        expected = self._settings.engine_token.get_secret_value()
        if not hmac.compare_digest(str(hello.get("token", "")).encode(), expected.encode()):
            raise frames.BadFrame("wrong token")

    async def _answer(self, message: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        answer = await self._submit(message.get("command"))
        reply: dict[str, Any] = {"id": message.get("id")}
        if isinstance(answer, PortalError):
            reply["error"] = answer.as_dict()
        else:
            reply["result"] = answer
        writer.write(frames.pack(reply))
        await writer.drain()

    async def _submit(self, command: Any) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((command, future))
        except asyncio.QueueFull:
            return TooManyRequests("The engine is busy.", hint="Try again in a second.")
        return await future


async def _read(reader: asyncio.StreamReader) -> dict[str, Any]:
    header = await reader.readexactly(frames.HEADER.size)
    return frames.unpack(await reader.readexactly(frames.length_of(header)))


async def _watch(lease: psycopg.AsyncConnection[Any]) -> None:
    """Ends the engine when the connection that holds its lock is gone."""
    while True:
        await asyncio.sleep(_STANDBY_SECONDS)
        await lease.execute("SELECT 1")


def _not_written() -> PortalError:
    return NotApplied("The engine's database does not answer.", hint="Ask again with the same key.")


def main(settings: Settings) -> None:
    """Run the engine role until SIGTERM or SIGINT."""

    async def serve() -> None:
        task = asyncio.ensure_future(EngineServer(settings).run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            _log.info("stopped")

    asyncio.run(serve())
