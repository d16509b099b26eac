"""Standby servers of PostgreSQL that must have a batch before it is acknowledged.

PostgreSQL does the waiting (`synchronous_standby_names`). The engine makes sure that it really
does: it refuses to write while the configuration would let a commit return without the standbys,
and raises an alarm while too few of them are connected, since commits then wait without end.

A wait that somebody cancels is a trap: PostgreSQL reports the commit as done, with a warning, and
it is on one server only. Such a batch is never acknowledged.
"""

import re
import weakref
from dataclasses import dataclass
from typing import Any

import psycopg

from portal.core.errors import Unavailable

Connection = psycopg.Connection[tuple[Any, ...]]
# A commit that waits longer than this is an alarm, whatever the standbys look like.
STUCK_SECONDS = 1.5
# With these, a commit returns when the standbys have it on disk.
DURABLE_COMMITS = ("on", "remote_apply")
_COUNTED = re.compile(r"^\s*(?:(?:ANY|FIRST)\s+)?(\d+)\s*\(.*\)\s*$", re.I | re.S)
_LOOK = """
    SELECT current_setting('synchronous_standby_names'), current_setting('synchronous_commit'),
        pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
        (SELECT count(*) FROM pg_stat_replication
            WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')),
        (SELECT coalesce(bool_or(query_start < clock_timestamp() - make_interval(secs => %s)),
            false) FROM pg_stat_activity
            WHERE wait_event = 'SyncRep' AND application_name = %s)
"""
_warnings: weakref.WeakKeyDictionary[Connection, list[str]] = weakref.WeakKeyDictionary()


class NotDurable(Unavailable):
    """PostgreSQL would not wait for the standby servers that must have every batch."""

    code = "unavailable"


class NotReplicated(Exception):
    """A commit returned, but somebody cancelled its wait for the standby servers."""


@dataclass(frozen=True, slots=True)
class Standbys:
    """What PostgreSQL is told to wait for, and what is there."""

    required: int
    names: str
    commit: str
    visible: bool
    connected: int
    stuck: bool

    @property
    def asynchronous(self) -> str | None:
        """Why a commit could return before the standbys have it; None when it can't."""
        if not self.required:
            return None
        if waited_for(self.names) < self.required:
            return (
                f"PostgreSQL waits for {waited_for(self.names)} standby servers "
                f"(synchronous_standby_names is '{self.names}'), and ENGINE_SYNC_STANDBYS "
                f"demands {self.required}."
            )
        if self.commit not in DURABLE_COMMITS:
            return f"synchronous_commit is {self.commit}: it must be on or remote_apply."
        if not self.visible:
            return "The engine can't see the standby servers: grant pg_read_all_stats to its role."
        return None

    @property
    def missing(self) -> str | None:
        """What stands still because too few standbys are connected; None when enough are."""
        if self.connected < self.required:
            return (
                f"{self.connected} of {self.required} synchronous standby servers are connected: "
                "nothing can be stored until they are back."
            )
        if self.stuck:
            return "A commit waits for a standby server that does not answer."
        return None

    @property
    def alarm(self) -> str | None:
        """The more important of the two."""
        return self.asynchronous or self.missing


def waited_for(names: str) -> int:
    """How many standbys a commit waits for by this `synchronous_standby_names`."""
    counted = _COUNTED.match(names)
    if counted:
        return int(counted[1])
    return 1 if names.strip() else 0


def look(connection: Connection, required: int, writer: str = "") -> Standbys:
    """The present configuration and servers. Raises psycopg.Error.

    `writer`: the application name of the connection whose commits are watched.
    """
    row = connection.execute(_LOOK, (STUCK_SECONDS, writer)).fetchone()
    if row is None:
        raise psycopg.DataError("PostgreSQL does not tell its settings")
    return Standbys(required, *row)


def require_durable(connection: Connection, required: int) -> Standbys:
    """Raises NotDurable unless every commit will wait for `required` standbys."""
    standbys = look(connection, required)
    if standbys.asynchronous:
        raise NotDurable(
            f"The engine writes nothing: {standbys.asynchronous}",
            hint="An operator must correct the database's configuration.",
        )
    return standbys


def require_unchanged(connection: Connection, required: int, names: str) -> None:
    """Raises NotDurable when PostgreSQL no longer waits for the standbys named `names`."""
    standbys = require_durable(connection, required)
    if standbys.names != names:
        raise NotDurable(
            f"synchronous_standby_names was changed to '{standbys.names}'.",
            hint="Ask again with the same key.",
        )


def watch(connection: Connection) -> None:
    """Note the warnings of this connection, for `require_replicated`."""
    warnings = _warnings.setdefault(connection, [])

    def note(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(notice.message_primary or "a warning")

    connection.add_notice_handler(note)


def require_replicated(connection: Connection) -> None:
    """Call after a commit. Raises NotReplicated when its wait was cancelled.

    Any warning counts: a commit has no other, and its words depend on the server's language.
    """
    if told := forget_warnings(connection):
        raise NotReplicated("; ".join(told))


def forget_warnings(connection: Connection) -> list[str]:
    """The warnings since the last call; they concern no commit to come."""
    warnings = _warnings.get(connection, [])
    told = warnings[:]
    warnings.clear()
    return told
