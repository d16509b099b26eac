"""Hearing from PostgreSQL what changed, by the channel that the tables' triggers tell it on."""

import asyncio
import contextlib
from collections.abc import Callable

import psycopg
import structlog

from portal.core.db import libpq_url, sqlalchemy_url

CHANNEL = "portal_changes"
# A line that says nothing for so long is asked whether it is still there.
ASK_SECONDS = 1.0
ANSWER_SECONDS = 2.0
PAUSE_SECONDS = 0.2
_log = structlog.get_logger(__name__)


class Changes:
    """The line to the database. `hearing` is whether every change reaches us just now."""

    def __init__(
        self, url: str, changed: Callable[[str, str], None], lost: Callable[[], None]
    ) -> None:
        """`changed(what, which)` for each change; `lost()` when some may have been missed."""
        self._url = libpq_url(sqlalchemy_url(url))
        self._changed, self._lost = changed, lost
        self.hearing = False

    async def run(self) -> None:
        """Listen until cancelled, over one connection after the other."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
                await self._listen()
            if self.hearing:
                _log.warning("changes are not heard")
            self.hearing = False
            self._lost()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _listen(self) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        async with connection:
            async with asyncio.timeout(ANSWER_SECONDS):
                await connection.execute(f"LISTEN {CHANNEL}")
            # Whatever was read before this moment may have changed unheard.
            self._lost()
            self.hearing = True
            try:
                while True:
                    async for notice in connection.notifies(timeout=ASK_SECONDS):
                        what, _, which = notice.payload.partition("|")
                        self._changed(what, which)
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await connection.execute("SELECT 1")
            finally:
                self.hearing = False
                self._lost()
