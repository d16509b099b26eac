"""A hot standby's memory: it follows the journal, so that a takeover has only the tail to read."""

import threading

import psycopg
import structlog

from portal.engine import recovery
from portal.engine.connection import Connection, Identity, connect, in_a_line
from portal.engine.recovery import Copy
from portal.engine.store import CHANNEL

POLL_SECONDS = 0.25
_log = structlog.get_logger("engine")


class Follower:
    """Keeps a copy of a shard one step behind its leader. Runs in a thread of its own.

    A copy that does not fit the journal is an alarm: `failure` is set, the follower stops, and
    what it has in memory is never served.
    """

    def __init__(self, url: str, shard: str, identity: Identity) -> None:
        self._url = url
        self._shard = shard
        self._identity = identity
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._copy: Copy | None = None
        self.failure: recovery.Diverged | None = None

    @property
    def seq(self) -> int | None:
        """How far it has come; None before the first copy is complete."""
        return self._copy.state.seq if self._copy else None

    def start(self, copy: Copy | None = None) -> None:
        """Begin to follow, from `copy` where there is one."""
        self._stop.clear()
        self._copy = copy
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def stop(self) -> Copy | None:
        """Stop following; the copy as far as it has come, None when there is none to trust.

        Raises Diverged when the copy did not fit the journal.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        copy, self._copy = self._copy, None
        if self.failure is not None:
            raise self.failure
        return copy

    def _run(self) -> None:
        cut_off = False
        while not self._stop.is_set():
            try:
                with connect(self._url, self._identity, writes=False) as connection:
                    cut_off = False
                    self._follow(connection)
            except psycopg.Error as error:
                if not cut_off:
                    _log.warning(f"the follower has no database: {in_a_line(error)}")
                cut_off = True
                self._stop.wait(POLL_SECONDS)
            except recovery.Diverged as error:
                _log.error(f"ALARM: the follower's memory does not fit the journal: {error}")
                self.failure, self._copy = error, None
                return

    def _follow(self, connection: Connection) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        if self._copy is None:
            self._copy = recovery.restore(connection, self._shard)
            _log.info("following", shard=self._shard, seq=self._copy.state.seq)
        while not self._stop.is_set():
            if self._copy.catch_up(connection) == 0:
                for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass
