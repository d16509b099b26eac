"""Who leads a shard: the engine that holds its lease.

The lease is in the shard's row and runs by the database's clock. The leader renews it by every
batch, and by a heartbeat when there are none. Another engine takes the shard over when the lease
has run out, or at once when PostgreSQL no longer knows the connection of the leader's heartbeat:
a dead process. It raises the epoch, which every batch names, and ends what the old leader's
connections were doing. So an engine that slept through its lease finds its transaction gone and
its epoch old: it can never write beside another.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import structlog
from psycopg import errors

from portal.engine.connection import APPLICATION_OF_LEADER, Connection, Identity, connect
from portal.engine.quorum import forget_warnings, require_durable, require_replicated
from portal.engine.store import LEASE_SECONDS, make_shard

HEARTBEAT_SECONDS = 0.5
CANDIDATE_SECONDS = 0.2
_END_MS = 2_000
_log = structlog.get_logger("engine")

_LOOK = f"""
    SELECT epoch, leader, lease_until < clock_timestamp() AS over,
        EXISTS (SELECT FROM pg_stat_activity
            WHERE pid = leader_backend AND application_name = {APPLICATION_OF_LEADER}) AS alive,
        EXISTS (SELECT FROM pg_stat_activity
            WHERE wait_event = 'SyncRep' AND application_name = {APPLICATION_OF_LEADER}) AS waits
    FROM shard WHERE name = %s
"""  # noqa: S608
_END = f"""
    SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity, shard
    WHERE name = %s AND epoch = %s AND application_name = {APPLICATION_OF_LEADER}
        AND datname = current_database() AND pid <> pg_backend_pid()
"""  # noqa: S608
_TAKE = """
    UPDATE shard SET epoch = epoch + 1, leader = %s, leader_backend = pg_backend_pid(),
        lease_until = clock_timestamp() + make_interval(secs => %s)
    WHERE name = %s AND epoch = %s
    RETURNING epoch, seq, next_id, journal_hash
"""
_RENEW = """
    UPDATE shard SET lease_until = clock_timestamp() + make_interval(secs => %s),
        leader_backend = pg_backend_pid()
    WHERE name = %s AND epoch = %s AND leader = %s RETURNING epoch
"""
_RELEASE = """
    UPDATE shard SET leader = NULL, leader_backend = NULL, lease_until = NULL
    WHERE name = %s AND epoch = %s AND leader = %s
"""


class LeaseLost(Exception):
    """Another engine leads the shard now."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a candidate sees of the present leader. `epoch` None: the shard has no row yet."""

    epoch: int | None
    leader: str | None
    over: bool | None
    alive: bool
    waits: bool

    @property
    def free(self) -> bool:
        """Whether somebody else may lead now.

        A leader whose commit waits for a standby server can't renew: the batch holds the row.
        Taking over would wait for the same, so that one is left alone while it lives.
        """
        if self.leader is None or not self.alive:
            return True
        return bool(self.over) and not self.waits


@dataclass(frozen=True, slots=True)
class Taken:
    """A shard's head at the moment of the takeover; nobody else has written since."""

    epoch: int
    seq: int
    next_id: int
    journal_hash: str


class Lease:
    """One engine's claim to one shard, on a connection of its own. Thread-safe."""

    def __init__(self, url: str, shard: str, identity: Identity, *, sync_standbys: int = 0) -> None:
        """`sync_standbys`: how many standby servers must have a batch before it counts."""
        self._url = url
        self._shard = shard
        self.identity = identity
        self.sync_standbys = sync_standbys
        self._connection: Connection | None = None
        self._lock = threading.RLock()
        self.epoch: int | None = None
        self._sure_until = 0.0

    @property
    def held(self) -> bool:
        """Whether nobody else can have taken the shard yet, by this process's own steady clock.

        That clock goes on while the process stands still, so a sleeper sees that it overslept.
        """
        return time.monotonic() < self._sure_until

    def renewed(self, asked_at: float) -> None:
        """The database has renewed the lease; it was asked at this moment, or later."""
        self._sure_until = asked_at + LEASE_SECONDS

    def standing(self) -> Standing:
        """Who leads, as far as the database knows. Raises psycopg.Error."""
        with self._lock:
            try:
                row = self._open().execute(_LOOK, (self._shard,)).fetchone()
            except psycopg.OperationalError:
                # The connection may have been ended by whoever took over, or with its server.
                row = self._open().execute(_LOOK, (self._shard,)).fetchone()
        return Standing(*row) if row else Standing(None, None, None, False, False)

    def try_take(self) -> Taken | None:
        """Take the shard over if it is free; None while another leads or was faster.

        The takeover is committed as durably as a batch: once it returns, whatever the old leader
        committed is as safe as the takeover itself. Raises psycopg.Error, NotReplicated, and
        NotDurable when a commit would not wait for the standbys.
        """
        with self._lock:
            standing = self.standing()
            if standing.epoch is None:
                make_shard(self._open(), self._shard)
                standing = self.standing()
            if standing.leader != str(self.identity) and not standing.free:
                return None
            connection = self._open()
            require_durable(connection, self.sync_standbys)
            _end_backends(connection, self._shard, standing)
            asked_at = time.monotonic()
            try:
                row = connection.execute(
                    _TAKE, (str(self.identity), LEASE_SECONDS, self._shard, standing.epoch)
                ).fetchone()
            except errors.LockNotAvailable:
                return None
            if row is None:
                return None
            require_replicated(connection)
            taken = Taken(*row)
            self.epoch = taken.epoch
            self.renewed(asked_at)
        _log.info(f"took shard {self._shard} over at epoch {taken.epoch}, command {taken.seq}")
        return taken

    def renew(self) -> None:
        """Keep the lease. Raises LeaseLost when another engine has the shard, psycopg.Error.

        Whoever waits for the row finds a batch there, and a batch renews the lease itself.
        """
        asked_at = time.monotonic()
        try:
            row = self._write(_RENEW, LEASE_SECONDS).fetchone()
        except errors.LockNotAvailable:
            return
        if row is None:
            raise LeaseLost(f"shard {self._shard} is no longer at epoch {self.epoch}")
        self.renewed(asked_at)

    def release(self) -> None:
        """Give the shard away, so that a standby takes it at once; does nothing without it."""
        if self.epoch is not None:
            try:
                self._write(_RELEASE)
            except psycopg.Error as error:
                _log.warning(f"the lease was not given back: {error}")
        self.close()

    def interrupt(self) -> None:
        """End a takeover that waits for a standby server, from another thread; it then failed."""
        connection = self._connection
        if connection is not None and not connection.closed:
            connection.cancel_safe(timeout=2.0)

    def close(self) -> None:
        """Close the connection; to others the holder then looks dead."""
        with self._lock:
            self.epoch = None
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _write(self, statement: LiteralString, *values: object) -> psycopg.Cursor[Any]:
        """Change our row, if it is ours: what a crash of the database may forget."""
        with self._lock:
            connection = self._open()
            with connection.transaction():
                connection.execute("SET LOCAL synchronous_commit = off")
                return connection.execute(
                    statement, (*values, self._shard, self.epoch, str(self.identity))
                )

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, self.identity)
            self._connection.execute("SET lock_timeout = '500ms'")
        return self._connection


def _end_backends(connection: Connection, shard: str, standing: Standing) -> None:
    """End what the old leader's connections do: they may hold the shard's row."""
    if standing.leader is None:
        return
    _log.warning(f"ending what is left of the old leader, {standing.leader}")
    connection.execute(_END, (_END_MS, shard, standing.epoch)).fetchall()
    forget_warnings(connection)  # Of a connection that was gone already, or did not end in time.
