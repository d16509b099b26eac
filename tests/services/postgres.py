"""A real PostgreSQL for the tests: one server a run, one database a worker.

The server starts when the first test asks for it. The process that began the run (the xdist
controller, or pytest itself) stops it at the end; a run that was killed is cleared away by the
next one. `TEST_DATABASE_URL` names a server to use instead.
"""

import fcntl
import importlib
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

import portal
from portal.core.db import Base, Database, libpq_url
from portal.core.settings import Settings
from portal.run.postgres import EmbeddedPostgres

RUN_VARIABLE = "OTC_PORTAL_TEST_RUN"
TEMPLATE = "portal_template"
PASSWORD = "test"
# As in a real installation, the tests own their database but are no superuser.
ROLE = "portal"


def _home() -> Path:
    return Path(tempfile.gettempdir()) / f"otc-portal-tests-{os.getuid()}"


def begin_run() -> None:
    """Name this run's directory, for this process and the workers it starts."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    started = int(psutil.Process().create_time() * 1000)
    os.environ[RUN_VARIABLE] = str(_home() / f"{os.getpid()}-{started}")


def end_run() -> None:
    """Stop the run's server and remove its files."""
    if "PYTEST_XDIST_WORKER" not in os.environ and RUN_VARIABLE in os.environ:
        _clear(Path(os.environ.pop(RUN_VARIABLE)))


def _clear(run: Path) -> None:
    pid_file = run / "data" / "postmaster.pid"
    if pid_file.exists():
        _stop(int(pid_file.read_text().split("\n")[0]), run)
    shutil.rmtree(run, ignore_errors=True)


def _stop(pid: int, run: Path) -> None:
    try:
        process = psutil.Process(pid)
        if str(run / "data") not in process.cmdline():
            return
        process.send_signal(signal.SIGQUIT)  # The data is thrown away: no need for a checkpoint.
        process.wait(10)
    except psutil.NoSuchProcess:
        return


def _clear_dead_runs() -> None:
    for run in _home().glob("*-*"):
        pid, _, started = run.name.partition("-")
        try:
            alive = int(psutil.Process(int(pid)).create_time() * 1000) == int(started)
        except psutil.NoSuchProcess:
            alive = False
        if not alive:
            _clear(run)


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    with (run / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_server(run: Path) -> str:
    server = EmbeddedPostgres(run / "data", _free_port(), PASSWORD, durable=False, connections=300)
    server.initialise()
    with (run / "server.log").open("wb") as log:
        server.spawn(log)
    server.wait_ready()
    server.ensure_database(ROLE)
    return server.url()


def server_url() -> str:
    """The maintenance database of this run's server, started and migrated on first use."""
    run = Path(os.environ[RUN_VARIABLE])
    run.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _locked(run):
        note = run / "server.json"
        if note.exists():
            return str(json.loads(note.read_text())["url"])
        _clear_dead_runs()
        url = os.environ.get("TEST_DATABASE_URL") or _start_server(run)
        url = libpq_url(url)
        _make_template(url)
        note.write_text(json.dumps({"url": url}))
        return url


def _named(url: str, database: str) -> str:
    parts = urlsplit(url)
    where = parts.netloc
    if "TEST_DATABASE_URL" not in os.environ:
        where = f"{ROLE}:{PASSWORD}@{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=where, path="/" + database))


def _recreate(url: str, name: str, template: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                sql.Identifier(name), sql.Identifier(template), _owner()
            )
        )


def _owner() -> sql.Composable:
    if "TEST_DATABASE_URL" in os.environ:
        return sql.SQL("")
    return sql.SQL("OWNER {}").format(sql.Identifier(ROLE))


def _make_template(url: str) -> None:
    _recreate(url, TEMPLATE, "template0")
    target = _named(url, TEMPLATE)
    if find_spec("portal.migrations.runner") is not None:
        settings = Settings(_env_file=None, database_url=target)
        importlib.import_module("portal.migrations.runner").upgrade(settings)
        return
    for models in sorted(Path(next(iter(portal.__path__))).glob("*/models.py")):
        importlib.import_module(f"portal.{models.parent.name}.models")
    database = Database(target)
    Base.metadata.create_all(database.engine)
    database.dispose()


class WorkerDatabase:
    """This worker's database, remade from the migrated template for each test that uses one.

    `suffix` names another one beside it, for what several tests share.
    """

    def __init__(self, suffix: str = "") -> None:
        self.server = server_url()
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self.name = f"portal_{worker}_{os.getpid()}{suffix}"
        self.url = _named(self.server, self.name)

    def remake(self) -> str:
        """An empty database with the whole schema; returns its URL."""
        _recreate(self.server, self.name, TEMPLATE)
        return self.url

    def drop(self) -> None:
        """Remove it (matters on a server that outlives the run)."""
        with psycopg.connect(self.server, autocommit=True) as connection:
            name = sql.Identifier(self.name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
