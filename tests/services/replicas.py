"""Two PostgreSQL servers, one the other's synchronous standby, for one test module at a time."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from portal.core.settings import Settings
from portal.migrations.runner import upgrade_database
from portal.run.child import die_with_parent
from portal.run.replicas import DATABASE, Replicas
from tests.services.postgres import RUN_VARIABLE, TEMPLATE

PATIENCE_SECONDS = 60.0


@contextmanager
def replicated() -> Iterator[Replicas]:
    """A primary with the schema and its standby, which every commit waits for."""
    run = Path(os.environ[RUN_VARIABLE])
    run.mkdir(mode=0o755, parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="replicas-", dir=run))
    directory.chmod(0o755)
    try:
        ports = (free_port(), free_port())
        with Replicas(directory, ports, "test", durable=False) as replicas:
            replicas.start_primary()
            upgrade_database(replicas.url)
            replicas.start_standby()
            yield replicas
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def renew(replicas: Replicas) -> None:
    """An empty database on both servers, configured as at the start."""
    primary = replicas.primary
    if replicas.standby.process is None:
        replicas.revive_standby()
    replicas.wait_for("ANY 1 (*)")
    primary.execute("ALTER ROLE portal RESET ALL")
    primary.execute("GRANT pg_read_all_stats TO portal")
    there = primary.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,))
    if not there:
        primary.execute(f"ALTER DATABASE {DATABASE} RENAME TO {TEMPLATE}")
    primary.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    primary.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE} OWNER {DATABASE}")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EngineProcess:
    """`portal engine run` as a process of its own; it dies with the test."""

    def __init__(self, settings: Settings, port: int, log: Path) -> None:
        self.port = port
        self.log = log
        environment = {
            **os.environ,
            "DATABASE_URL": str(settings.database_url),
            "ENGINE_PORT": str(port),
            "ENGINE_SYNC_STANDBYS": str(settings.engine_sync_standbys),
        }
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "portal.cli", "engine", "run"],
                env=environment,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    def wait_serving(self) -> None:
        """Return when it takes connections."""
        until(self._serves, self)

    def wait_following(self, url: str) -> None:
        """Return when it follows the leader closely."""
        query = (
            "SELECT 1 FROM engine_status JOIN shard ON name = shard"
            " WHERE engine = %s AND role = 'standby' AND engine_status.seq >= shard.seq"
        )
        who = f"127.0.0.1:{self.port}"
        with psycopg.connect(url, autocommit=True) as connection:
            until(lambda: connection.execute(query, (who,)).fetchone() is not None, self)

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text()

    def _serves(self) -> bool:
        assert self.process.poll() is None, self.said()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> None:
        """End it, whatever state it is in."""
        self.process.kill()
        self.process.wait()


def until(condition: Callable[[], bool], engine: EngineProcess | None = None) -> None:
    """Return once the condition holds; fails when it never does."""
    for _ in range(int(PATIENCE_SECONDS / 0.02)):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(engine.said() if engine else "this never came about")
