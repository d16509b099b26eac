"""The engine process: takes commands from the other processes and writes them, batch by batch.

A lock in PostgreSQL makes sure that one engine serves a shard; others stand by.
"""

import asyncio
import signal
import sys
from typing import Any

import psycopg
import structlog
import uvloop

from portal.core.db import libpq_url, sqlalchemy_url
from portal.core.settings import Settings
from portal.engine.batcher import Batcher, settle_memory
from portal.engine.sequencer import Sequencer
from portal.engine.wire import Client, listener

_LOCK_SPACE = 0x0E61
_STANDBY_SECONDS = 0.5
# The thread that commits must not wait long for its turn once PostgreSQL has answered.
_SWITCH_SECONDS = 0.0005
_log = structlog.get_logger("engine")


class EngineServer:
    """Serves one shard on a TCP port until stopped."""

    def __init__(self, settings: Settings, shard: str = "main") -> None:
        self._settings = settings
        self._shard = shard
        self._url = libpq_url(sqlalchemy_url(settings.required_database_url))
        self._sequencer = Sequencer(self._url, shard)
        self._clients: set[Client] = set()

    async def run(self) -> None:
        """Wait for the shard, then serve until cancelled. Raises Fenced when it is taken over."""
        async with await self._lease() as lease:
            await asyncio.to_thread(self._sequencer.start)
            settle_memory()
            await self._serve(lease)

    async def _serve(self, lease: psycopg.AsyncConnection[Any]) -> None:
        batcher = Batcher(self._sequencer)
        token = self._settings.engine_token.get_secret_value()
        server = await asyncio.get_running_loop().create_server(
            listener(token, batcher, self._clients),
            self._settings.engine_host,
            self._settings.engine_port,
        )
        _log.info("serving", shard=self._shard, port=self._settings.engine_port)
        watching = asyncio.ensure_future(_watch(lease))
        try:
            await asyncio.wait({batcher.over, watching}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (batcher.over, watching):
                if ended.done():
                    ended.result()
        finally:
            watching.cancel()
            server.close()
            await asyncio.to_thread(batcher.close)
            await asyncio.sleep(0)  # The last answers leave before their connections are closed.
            for client in tuple(self._clients):
                client.close()
            self._sequencer.stop()

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


async def _watch(lease: psycopg.AsyncConnection[Any]) -> None:
    """Ends the engine when the connection that holds its lock is gone."""
    while True:
        await asyncio.sleep(_STANDBY_SECONDS)
        await lease.execute("SELECT 1")


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

    sys.setswitchinterval(_SWITCH_SECONDS)
    uvloop.run(serve())
