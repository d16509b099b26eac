"""What an operator must know of an engine: its role, and an alarm when nothing can be stored.

Looks at PostgreSQL on a connection of its own, since the one that writes may be waiting; says what
it sees in the log and in table `engine_status`, which `portal doctor` and the back office read.
"""

import asyncio
from collections.abc import Callable

import psycopg
import structlog

from portal.engine import quorum
from portal.engine.connection import Connection, Identity, connect, in_a_line

STANDBY, LEADING, BLOCKED = "standby", "leading", "blocked"
WATCH_SECONDS = 0.5
SAY_SECONDS = 1.0
_log = structlog.get_logger("engine")
_SAY = """
    INSERT INTO engine_status AS old (shard, engine, role, alarm, seq, since, at)
    VALUES (%s, %s, %s, %s, %s, clock_timestamp(), clock_timestamp())
    ON CONFLICT (shard, engine) DO UPDATE SET role = EXCLUDED.role, alarm = EXCLUDED.alarm,
        seq = EXCLUDED.seq, at = EXCLUDED.at,
        since = CASE WHEN (old.role, old.alarm) IS NOT DISTINCT FROM
            (EXCLUDED.role, EXCLUDED.alarm) THEN old.since ELSE EXCLUDED.since END
"""


class Watch:
    """Watches the database of one engine. `alarm` is why nothing can be stored, None if it can.

    Args:
        required: how many synchronous standby servers there must be.
        seq: how far the engine's memory has come.
        changed: called on the event loop with the alarm whenever it begins, changes or ends.
    """

    def __init__(
        self,
        url: str,
        shard: str,
        identity: Identity,
        required: int,
        *,
        seq: Callable[[], int | None] = lambda: None,
        changed: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._url = url
        self._shard = shard
        self._identity = identity
        self._required = required
        self._seq = seq
        self._changed = changed
        self._connection: Connection | None = None
        self._said: tuple[str, str | None] | None = None
        self._silent = 0.0
        self.role = STANDBY
        self.alarm: str | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                alarm = await asyncio.to_thread(self.look)
                if alarm != self.alarm:
                    self._tell(alarm)
                await asyncio.sleep(WATCH_SECONDS)
        finally:
            self.close()

    def look(self) -> str | None:
        """What is wrong now, and say so in `engine_status`; None when all is well."""
        try:
            connection = self._open()
            writer = self._identity.application
            alarm = quorum.look(connection, self._required, writer).alarm
            self._say(connection, alarm)
        except psycopg.Error as error:
            self.close()
            return f"The database does not answer: {in_a_line(error)}"
        return alarm

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _tell(self, alarm: str | None) -> None:
        self.alarm = alarm
        if alarm is None:
            _log.warning("the alarm is over", shard=self._shard)
        else:
            _log.error(f"ALARM: {alarm}", shard=self._shard)
        self._changed(alarm)

    def _say(self, connection: Connection, alarm: str | None) -> None:
        role = BLOCKED if alarm and self.role == LEADING else self.role
        self._silent += WATCH_SECONDS
        if self._said == (role, alarm) and self._silent < SAY_SECONDS:
            return
        with connection.transaction():
            # It must be seen while commits wait for a standby that is gone.
            connection.execute("SET LOCAL synchronous_commit = off")
            connection.execute(
                _SAY, (self._shard, self._identity.address, role, alarm, self._seq())
            )
        self._said, self._silent = (role, alarm), 0.0

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, self._identity, writes=False)
            self._connection.execute("SET statement_timeout = '3s'")
        return self._connection
