"""The place of one bench: a directory, a PostgreSQL and an engine, gone when it is over."""

import os
import secrets
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import click
import psutil
import psycopg

from portal.bench import write_back
from portal.bench.database import BenchPostgres, require_disk, start_standby
from portal.bench.options import Options
from portal.bench.processes import Server, free_port
from portal.core.errors import Unavailable
from portal.core.settings import Settings

_TOLD_LINES = 15


class Lab:
    """What a bench works with. Make it with `open_lab`."""

    def __init__(self, directory: Path, stack: ExitStack, tuning: Mapping[str, str]) -> None:
        self.directory = directory
        self._stack = stack
        self.engine_token = secrets.token_urlsafe(32)
        self.master_key = secrets.token_urlsafe(32)
        self.postgres = BenchPostgres(directory / "data", secrets.token_urlsafe(24), tuning)
        self.standby: BenchPostgres | None = None
        self.database_url = ""

    def start_database(self) -> None:
        """A new PostgreSQL with the portal's schema."""
        self._stack.callback(self.postgres.remove)
        self._stack.callback(self.postgres.stop)
        self.postgres.start(self.directory / "postgres.log")
        self.database_url = self.postgres.make_database()

    def start_standby(self) -> None:
        """A synchronous standby beside it, on this machine."""
        self.standby = start_standby(
            self.postgres, self.directory / "standby", self.directory / "standby.log"
        )
        self._stack.callback(self.standby.remove)
        self._stack.callback(self.standby.stop)

    def environment(self, **changes: object) -> dict[str, str]:
        """What our processes see: this lab's database, nobody's `.env`."""
        return {
            **os.environ,
            "PORTAL_ENV": "demo",
            "DATABASE_URL": self.database_url,
            "ENGINE_TOKEN": self.engine_token,
            "MASTER_KEY": self.master_key,
            "VAR_DIR": str(self.directory),
            **{name.upper(): str(value) for name, value in changes.items()},
        }

    def start_engine(
        self, *, profile: Path | None = None, port: int | None = None, wait: bool = True
    ) -> "Engine":
        """An engine, on a free port unless one is named.

        With `profile`, its profile is written there at its end. A standby serves nobody: it is
        not waited for.
        """
        engine = Engine(self, port or free_port(), profile)
        self._stack.callback(engine.stop)
        if wait:
            engine.wait_listening(engine.port)
        return engine

    def start_server(
        self, name: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> Server:
        """Another server of this lab."""
        server = Server(name, command, environment, self.directory / f"{name}.log")
        self._stack.callback(server.stop)
        return server

    def tell_logs(self) -> None:
        """The end of every log of this lab, on standard error."""
        for log in sorted(self.directory.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-_TOLD_LINES:]
            click.echo("\n".join((f"--- {log.name}", *lines)), err=True)

    def postgres_pids(self) -> dict[str, int]:
        """The database servers of this lab."""
        servers = {"postgres": self.postgres, "standby": self.standby}
        return {
            name: server.process.pid
            for name, server in servers.items()
            if server is not None and server.process is not None
        }

    def commands_of(self, run: str) -> int:
        """How many commands with the keys of a run are committed."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM command_key WHERE strpos(key, %s) > 0", (run,)
            ).fetchone()
        return int(row[0]) if row else 0

    def open_orders(self) -> int:
        """Orders in the books, as the tables tell."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM \"order\" WHERE status = 'open'"
            ).fetchone()
        return int(row[0]) if row else 0


class Engine(Server):
    """`portal engine` of a lab."""

    def __init__(self, lab: Lab, port: int, profile: Path | None) -> None:
        self.port = port
        self.token = lab.engine_token
        start = ["-m", "portal.cli", "engine"]
        if profile is not None:
            start = ["-m", "portal.bench.profiled", str(profile), "engine"]
        super().__init__(
            f"engine-{port}",
            [sys.executable, *start],
            lab.environment(engine_port=port, engine_host="127.0.0.1"),
            lab.directory / f"engine-{port}.log",
        )


@contextmanager
def open_lab(
    settings: Settings,
    tuning: Mapping[str, str],
    directory: Path | None = None,
    *,
    busy: int = 0,
    leave_kernel: bool = False,
) -> Iterator[Lab]:
    """A lab in a directory of its own; whatever happens, nothing of it stays.

    `busy`: commands that are to come; its PostgreSQL is then made like one that has run for long,
    on a Linux that writes back evenly, unless the kernel's settings are to be left alone.
    """
    home = (directory or settings.var_dir / "bench").resolve()
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    require_disk(home)
    _clear_dead(home)
    place = home / _name(os.getpid())
    place.mkdir(mode=0o755)
    with ExitStack() as stack, _ended_by_sigterm():
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        lab = Lab(place, stack, tuning)
        if busy and not leave_kernel:
            stack.enter_context(write_back.even())
        lab.start_database()
        if busy:
            lab.postgres.touch_buffers(busy)
        try:
            yield lab
        except Unavailable:
            lab.tell_logs()
            raise


def open_busy_lab(settings: Settings, options: Options) -> AbstractContextManager[Lab]:
    """A lab whose PostgreSQL works as one that has run for long."""
    return open_lab(
        settings,
        options.tuning,
        options.directory,
        busy=int(sum(options.rates) * (options.warmup + options.seconds)) + 1,
        leave_kernel=options.leave_kernel,
    )


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM unwinds as Ctrl-C does, so that everything is put away."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _name(pid: int) -> str:
    return f"{pid}-{int(psutil.Process(pid).create_time() * 1000)}"


def _clear_dead(home: Path) -> None:
    """Remove what benches left that were killed; their servers died with them."""
    for place in home.glob("*-*"):
        pid = int(place.name.partition("-")[0])
        try:
            alive = _name(pid) == place.name
        except psutil.NoSuchProcess:
            alive = False
        if not alive:
            for data in (place / "data", place / "standby"):
                if data.is_symlink():
                    shutil.rmtree(data.resolve(), ignore_errors=True)
            shutil.rmtree(place, ignore_errors=True)
