"""An engine's life: it follows the leader's journal until the shard is free, leads it, and stands
by again when another has taken over.
"""

import asyncio

import psycopg
import structlog

from portal.engine.connection import Identity, in_a_line
from portal.engine.follower import Follower
from portal.engine.lease import CANDIDATE_SECONDS, HEARTBEAT_SECONDS, Lease
from portal.engine.recovery import Copy

_log = structlog.get_logger("engine")


class Leadership:
    """Waits for the shard and keeps it. `lease` is what the sequencer takes it with."""

    def __init__(self, url: str, shard: str, identity: Identity, sync_standbys: int = 0) -> None:
        self._shard = shard
        self.lease = Lease(url, shard, identity, sync_standbys=sync_standbys)
        self._follower = Follower(url, shard, identity)
        self._cut_off = False

    @property
    def seq(self) -> int | None:
        """How far a standby has followed."""
        return self._follower.seq

    async def wait(self) -> Copy | None:
        """Return once nobody leads the shard: with the copy so far, None if none was begun.

        Raises Diverged when what was followed does not fit the journal.
        """
        if await self._free():
            return None
        _log.info("standing by", shard=self._shard)
        self._follower.start()
        try:
            while not await self._free():
                if self._follower.failure is not None:
                    break
                await asyncio.sleep(CANDIDATE_SECONDS)
        finally:
            copy = await asyncio.to_thread(self._follower.stop)
        return copy

    async def keep(self) -> None:
        """Renew the lease until it is lost. Raises LeaseLost."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                await asyncio.to_thread(self.lease.renew)
                self._cut_off = False
            except psycopg.Error as error:
                self._note_cut_off(error)

    async def _free(self) -> bool:
        try:
            standing = await asyncio.to_thread(self.lease.standing)
        except psycopg.Error as error:
            self._note_cut_off(error)
            return False
        self._cut_off = False
        return standing.free or standing.leader == str(self.lease.identity)

    def _note_cut_off(self, error: Exception) -> None:
        if not self._cut_off:
            _log.warning(f"the database does not answer: {in_a_line(error)}")
        self._cut_off = True
