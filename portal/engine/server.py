"""The engine process: takes commands from the other processes and writes them, batch by batch.

A lease makes sure that one engine serves a shard; others follow it and stand by.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import structlog
import uvloop

from portal.core.db import libpq_url, sqlalchemy_url
from portal.core.settings import Settings
from portal.engine import store
from portal.engine.batcher import RETRY_SECONDS, Batcher, settle_memory
from portal.engine.connection import Identity, connect, in_a_line
from portal.engine.leadership import Leadership
from portal.engine.lease import LeaseLost
from portal.engine.quorum import NotDurable, NotReplicated
from portal.engine.recovery import Copy
from portal.engine.sequencer import Sequencer
from portal.engine.store import Fenced
from portal.engine.used_keys import UsedKeys
from portal.engine.watch import LEADING, STANDBY, Watch
from portal.engine.wire import Client, listener
from portal.engine.writer import Writer, WriterGone

STOP_SECONDS = 3.0
KEYS_A_TIME = 2_000
_KEYS_PAUSE = 0.02
# The threads that keep the lease and read keys must not wait long for their turn.
_SWITCH_SECONDS = 0.0005
_log = structlog.get_logger("engine")


class EngineServer:
    """Serves one shard on a TCP port until stopped, whenever no other engine does."""

    def __init__(self, settings: Settings, shard: str = "main") -> None:
        self._settings = settings
        self._shard = shard
        self._url = url = libpq_url(sqlalchemy_url(settings.required_database_url))
        self._identity = identity = Identity(f"{settings.engine_host}:{settings.engine_port}")
        required = settings.engine_sync_standbys
        self._leadership = Leadership(url, shard, identity, required)
        self._sequencer = Sequencer(url, shard, lease=self._leadership.lease)
        self._watch = Watch(
            url, shard, identity, required, seq=self._seq, changed=self._alarm_changed
        )
        self._writer = Writer(url, shard, identity)
        self._batcher: Batcher | None = None
        self._clients: set[Client] = set()

    async def run(self) -> None:
        """Follow, lead, and follow again, until cancelled.

        Raises Diverged when the memory of a standby does not fit the journal.
        """
        watching = asyncio.ensure_future(self._watch.run())
        try:
            await self._writer.start()
            while True:
                copy = await self._leadership.wait()
                if await self._take(copy):
                    await self._lead()
        finally:
            watching.cancel()
            await self._writer.close()
            await asyncio.to_thread(self._leadership.lease.release)

    async def _take(self, copy: Copy | None) -> bool:
        """Take the shard; False when another was faster, or the database can't have it now."""
        taking = asyncio.ensure_future(asyncio.to_thread(self._sequencer.start, copy))
        try:
            await asyncio.shield(taking)
            await self._writer.begin(self._sequencer.reliance)
        except asyncio.CancelledError:
            await self._end(taking)
            raise
        except Fenced:
            return False
        except (psycopg.Error, NotDurable, NotReplicated, WriterGone) as error:
            _log.error(f"shard {self._shard} can't be led yet: {in_a_line(error)}")
            await asyncio.sleep(RETRY_SECONDS)
            return False
        settle_memory(collect=copy is None)
        return True

    async def _lead(self) -> None:
        self._batcher = batcher = Batcher(self._sequencer, self._writer)
        batcher.block(self._watch.alarm is not None)
        token = self._settings.engine_token.get_secret_value()
        server = await asyncio.get_running_loop().create_server(
            listener(token, batcher, self._clients),
            self._settings.engine_host,
            self._settings.engine_port,
        )
        self._watch.role = LEADING
        _log.info("serving", shard=self._shard, port=self._settings.engine_port)
        keeping = asyncio.ensure_future(self._leadership.keep())
        learning = asyncio.ensure_future(self._learn_keys())
        try:
            await asyncio.wait({batcher.over, keeping}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (batcher.over, keeping):
                if ended.done():
                    ended.result()
        except (Fenced, LeaseLost) as lost:
            _log.warning(f"another engine leads now: {lost}")
        finally:
            self._watch.role, self._batcher = STANDBY, None
            keeping.cancel()
            learning.cancel()
            server.close()
            await self._end(asyncio.ensure_future(batcher.close()))
            await asyncio.sleep(0)  # The last answers leave before their connections are closed.
            for client in tuple(self._clients):
                client.close()
            self._sequencer.stop()

    async def _learn_keys(self) -> None:
        """Read the keys that were used before, a portion at a time; the database is asked until
        they are all known."""
        used, today = self._sequencer.used_keys, self._sequencer.today
        while not used.complete:
            try:
                await self._learn_from(used, today)
            except psycopg.Error as error:
                _log.warning(f"used keys can't be read yet: {in_a_line(error)}")
                await asyncio.sleep(RETRY_SECONDS)

    async def _learn_from(self, used: UsedKeys, today: int) -> None:
        # One thread has the connection to itself: it is closed behind what still runs there.
        thread = ThreadPoolExecutor(1, "keys")
        run = partial(asyncio.get_running_loop().run_in_executor, thread)
        try:
            connection = await run(partial(connect, self._url, self._identity, writes=False))
            try:
                for day in (today, today - 1):
                    await self._learn_day(used, day, partial(run, store.keys_after, connection))
                used.complete = True
            finally:
                thread.submit(connection.close)
        finally:
            thread.shutdown(wait=False)

    async def _learn_day(
        self, used: UsedKeys, day: int, read: Callable[..., Awaitable[list[str]]]
    ) -> None:
        last = ""
        while found := await read(self._shard, day, last, KEYS_A_TIME):
            used.learn(day, found)
            last = found[-1]
            await asyncio.sleep(_KEYS_PAUSE)

    async def _end(self, work: asyncio.Future[None]) -> None:
        """Let work on the database end; what waits for a standby server is given up."""
        done, _ = await asyncio.wait({work}, timeout=STOP_SECONDS)
        if not done:
            self._writer.interrupt()
            await asyncio.to_thread(self._sequencer.interrupt)
            await asyncio.wait({work})
        if isinstance(error := work.exception(), Exception):
            _log.warning(f"given up: {in_a_line(error)}")

    def _seq(self) -> int | None:
        if self._watch.role == LEADING:
            return self._sequencer.state.seq
        return self._leadership.seq

    def _alarm_changed(self, alarm: str | None) -> None:
        if self._batcher is not None:
            self._batcher.block(alarm is not None)


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
