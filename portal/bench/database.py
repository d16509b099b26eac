"""PostgreSQL for a bench: durable, on a disk, tuned as `docs/deploy.md` tells for a server."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil
import psycopg

from portal.bench.processes import free_port
from portal.core.errors import InvalidInput, Unavailable
from portal.migrations.runner import upgrade_database
from portal.run.child import die_with_parent
from portal.run.postgres import EmbeddedPostgres

DATABASE = "portal"
_MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
TUNING = {
    "shared_buffers": f"{min(_MEMORY // 4, 8 << 30) >> 20}MB",
    "max_wal_size": "16GB",  # A checkpoint begins after half of it.
    "min_wal_size": "6GB",
    "checkpoint_timeout": "15min",
    # What a batch writes to the log goes to the disk while the rest of it is being written.
    "wal_writer_delay": "5ms",
    "wal_writer_flush_after": "256kB",
}
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
STANDBY = "bench_standby"
_SEGMENT_NAME = 24
# More than a command of a bench writes to the log; `min_wal_size` keeps that many files.
_LOG_BYTES, _LOG_FILE, _MOST_LOG_FILES = 3_000, 16 * 1024 * 1024, 370
# Fewer than fit a buffer of 8 kB with all their rows and index entries.
_COMMANDS_A_BUFFER = 2


class BenchPostgres(EmbeddedPostgres):
    """The embedded server with the settings of a bench on top."""

    def __init__(self, data: Path, password: str, tuning: Mapping[str, str]) -> None:
        super().__init__(data, free_port(), password, durable=True)
        self.tuning = TUNING | dict(tuning)

    def command(self) -> list[str]:
        """The server's command line."""
        pairs = [part for item in self.tuning.items() for part in ("-c", "=".join(item))]
        return [*super().command(), *pairs]

    def start(self, log: Path) -> None:
        """Make the cluster if there is none, and start it; it dies when we do."""
        self.initialise()
        self.launch(log)

    def launch(self, log: Path) -> None:
        """Start the server on the files that are there."""
        with log.open("ab") as output:
            self.spawn(output, preexec=die_with_parent(signal.SIGQUIT))
        self.wait_ready()

    def make_database(self) -> str:
        """Database, role and schema; returns the database's URL."""
        self.ensure_database(DATABASE)
        url = self.url(DATABASE, DATABASE)
        upgrade_database(url)
        return url

    def touch_buffers(self, commands: int) -> None:
        """Have the shared buffers that so many commands fill used once, as a server has that runs
        for long.

        Linux makes and clears a new server's memory page by page, when a page is used first.
        """
        with psycopg.connect(self.url(DATABASE), autocommit=True) as connection:
            row = connection.execute(
                "SELECT setting::int FROM pg_settings WHERE name = 'shared_buffers'"
            ).fetchone()
            buffers = min(row[0] if row else 0, commands // _COMMANDS_A_BUFFER)
            connection.execute("CREATE UNLOGGED TABLE filler (page text)")
            connection.execute("ALTER TABLE filler ALTER page SET STORAGE PLAIN")
            connection.execute(
                "INSERT INTO filler SELECT repeat('x', 5000) FROM generate_series(1, %s)",
                (buffers,),
            )
            connection.execute("DROP TABLE filler")

    def make_log(self, commands: int) -> None:
        """Have files for the write-ahead log to be used again, as a server has that runs for long.

        A new server makes each of them when it is needed, and writes it twice.
        """
        files = min(commands * _LOG_BYTES // _LOG_FILE + 1, _MOST_LOG_FILES)
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for _ in range(files):
                connection.execute("SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()")
            connection.execute("CHECKPOINT")

    def durability(self) -> dict[str, str]:
        """The three settings that decide whether an acknowledged order survives."""
        return {name: self._setting(name) for name in DURABLE}

    def _setting(self, name: str) -> str:
        with psycopg.connect(self.url()) as connection:
            row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        return str(row[0]) if row else ""

    def stop(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """End it at once: its files are thrown away."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def remove(self) -> None:
        """Delete the files, wherever they had to be."""
        shutil.rmtree(self.data, ignore_errors=True)
        if self.place.is_symlink():
            self.place.unlink()


def start_standby(primary: BenchPostgres, data: Path, log: Path) -> BenchPostgres:
    """A second server that has every commit on its disk before it is acknowledged."""
    standby = BenchPostgres(data, primary.password, primary.tuning)
    _base_backup(primary, standby)
    with (standby.data / "postgresql.auto.conf").open("a") as file:
        file.write(
            f"primary_conninfo = 'host=127.0.0.1 port={primary.port} user=postgres"
            f" password={primary.password} application_name={STANDBY}'\n"
        )
    (standby.data / "standby.signal").touch()
    _copy_log_files(primary, standby)
    standby.launch(log)
    primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 ({STANDBY})'")
    primary.execute("SELECT pg_reload_conf()")
    _wait_synchronous(primary, standby)
    return standby


def _copy_log_files(primary: BenchPostgres, standby: BenchPostgres) -> None:
    """Give the standby the files for its log, too, that one which runs for long uses again."""
    account, place = standby.account, standby.data / "pg_wal"
    for file in (primary.data / "pg_wal").iterdir():
        target = place / file.name
        if len(file.name) == _SEGMENT_NAME and not target.exists():
            shutil.copyfile(file, target)
            target.chmod(0o600)
            if account is not None:
                os.chown(target, account.uid, account.gid)


def _wait_synchronous(primary: BenchPostgres, standby: BenchPostgres) -> None:
    """Return when the primary waits for the standby. Raises Unavailable."""
    query = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
    for _ in range(600):
        if primary.execute(query):
            return
        if standby.process is None or _ended(standby.process, 0.05):
            break
    raise Unavailable("The standby does not follow; see its log.")


def _ended(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _base_backup(primary: BenchPostgres, standby: BenchPostgres) -> None:
    if standby.data != standby.place:
        standby.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        standby.place.symlink_to(standby.data)
    else:
        standby.data.mkdir(mode=0o700, parents=True)
    account = standby.account
    if account is not None:
        os.chown(standby.data, account.uid, account.gid)
    done = subprocess.run(  # noqa: S603
        [
            str(primary.binaries / "pg_basebackup"), f"--pgdata={standby.data}",
            "--host=127.0.0.1", f"--port={primary.port}", "--username=postgres",
            "--checkpoint=fast", "--no-password",
        ],
        env=primary.environment() | {"PGPASSWORD": primary.password},
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        capture_output=True,
        text=True,
    )  # fmt: skip
    if done.returncode:
        raise Unavailable(f"The standby could not be copied: {done.stderr.strip()}")


def require_disk(directory: Path) -> None:
    """Raises InvalidInput when `directory` is in memory: a commit would cost nothing there."""
    place = directory.resolve()
    mounts = [
        part for part in psutil.disk_partitions(all=True) if place.is_relative_to(part.mountpoint)
    ]
    kind = max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else ""
    if kind in ("tmpfs", "ramfs"):
        raise InvalidInput(
            f"{place} is in memory ({kind}).",
            field="--dir",
            hint="Choose a directory on a disk: the figures are of commits that are on it.",
        )
