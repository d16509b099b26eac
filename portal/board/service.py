"""The board for processes and people: kept up to date in a loop, built and checked by command."""

import sys
import threading
import time

import psycopg
import structlog

from portal.board.building import build, differences
from portal.board.following import NotFollowing, follow, open_connection, shards
from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.connection import Connection, in_a_line
from portal.engine.store import CHANNEL

# Passes start at least this far apart: under load each then takes many batches at once.
PASS_SECONDS = 0.1
_IDLE_SECONDS = 0.5
_RETRY_SECONDS = 1.0
_log = structlog.get_logger("board")


def keep(context: JobContext, stop: threading.Event) -> None:
    """Keep the board a moment behind the engine until `stop`; runs in the leading scheduler."""
    failing = False
    while not stop.is_set():
        try:
            with _open(context.database) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                while not stop.is_set():
                    bring_up(connection)
                    failing = False
                    _wait(connection, stop)
        except Exception as error:
            # Whatever it is, the loop goes on: a board that stands still helps nobody.
            if not failing:
                known = isinstance(error, psycopg.Error)
                _log.error(f"the board stands still: {in_a_line(error)}", exc_info=not known)
            failing = True
            stop.wait(_RETRY_SECONDS)


def bring_up(connection: Connection) -> None:
    """Have the board of every shard show what is committed now, built anew where it has to be."""
    for shard in shards(connection):
        try:
            follow(connection, shard)
        except NotFollowing as problem:
            _log.info(f"building the board of shard {shard}: {problem}")
            built = build(connection, shard)
            _log.info(f"the board of shard {shard} is built", seq=built.seq, rows=built.mended)


def bring_up_to_date(database: Database) -> None:
    """The same with a connection of its own: for tools and tests."""
    with _open(database) as connection:
        bring_up(connection)


def rebuild(settings: Settings) -> None:
    """`portal board rebuild`."""
    database = Database(settings.required_database_url)
    with _open(database) as connection:
        for shard in shards(connection):
            began = time.monotonic()
            built = build(connection, shard)
            sys.stdout.write(
                f"Shard {shard}: the board is as of command {built.seq}; {built.mended} rows were "
                f"wrong or missing, built in {time.monotonic() - began:.1f} s.\n"
            )


def check(settings: Settings) -> int:
    """`portal board check`: 1 where the board, having caught up, differs from the tables."""
    database = Database(settings.required_database_url)
    wrong = 0
    with _open(database) as connection:
        for shard in shards(connection):
            found = _differences(connection, shard)
            wrong += len(found)
            for difference in found:
                sys.stdout.write(f"DIFFERENT  {shard}: {difference}\n")
            if not found:
                sys.stdout.write(f"Shard {shard}: the board shows what the tables hold.\n")
    return 1 if wrong else 0


def _differences(connection: Connection, shard: str) -> list[str]:
    try:
        return differences(connection, shard)
    except NotFollowing as problem:
        return [f"{problem}; `portal board rebuild` makes it anew"]


def _wait(connection: Connection, stop: threading.Event) -> None:
    """Until the engine has written something, or it is time to look anyway."""
    stop.wait(PASS_SECONDS)
    for _ in connection.notifies(timeout=0 if stop.is_set() else _IDLE_SECONDS, stop_after=1):
        pass


def _open(database: Database) -> Connection:
    return open_connection(database.engine.url.render_as_string(hide_password=False))
