"""Two PostgreSQL servers on this machine, one the other's synchronous standby.

For demonstrations, benches and tests of a failover. Real installations run the servers on machines
of their own; docs/scale-out.md tells how.
"""

import signal
from pathlib import Path

import psutil
from psycopg import sql

from portal.core.errors import Unavailable
from portal.run.child import die_with_parent
from portal.run.postgres import START_SECONDS, STOP_SECONDS, EmbeddedPostgres

DATABASE = "portal"
# A server that vanishes is noticed soon, and a former primary can be rewound, not copied anew.
_SETTINGS = {
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_receiver_status_interval": "1s",
    "wal_keep_size": "512MB",
}


class Replicas:
    """A primary and its standby. Used as a context manager it stops both at the end.

    Args:
        directory: where files and logs go; must be empty, or not there yet.
        ports: of the two servers.
        durable: False turns off waiting for the disk, never the waiting for the standby.
    """

    def __init__(
        self, directory: Path, ports: tuple[int, int], password: str, *, durable: bool = True
    ) -> None:
        self._logs = directory
        self.primary, self.standby = (
            EmbeddedPostgres(
                directory / name,
                port,
                password,
                durable=durable,
                options={"synchronous_commit": "on", "full_page_writes": "on"},
            )
            for name, port in zip(("one", "two"), ports, strict=True)
        )

    def __enter__(self) -> "Replicas":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Both servers; a connection goes to the one that takes writes."""
        role = f"{DATABASE}:{self.primary.password}"
        ports = sorted((self.primary.port, self.standby.port))
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"postgresql://{role}@{hosts}/{DATABASE}?target_session_attrs=read-write"

    def start_primary(self) -> None:
        """Make and start the first server, with an empty database and its owner."""
        self.primary.initialise()
        self._start(self.primary)
        for name, value in _SETTINGS.items():
            _set(self.primary, name, value)
        self.primary.ensure_database(DATABASE)
        # The engine looks whether its standbys are connected.
        self.primary.execute("GRANT pg_read_all_stats TO portal")

    def start_standby(self) -> None:
        """Copy the primary, start the copy, and have every commit wait for it."""
        self.standby.copy_from(self.primary, "standby")
        self._start(self.standby)
        self.wait_for("ANY 1 (*)")

    def wait_for(self, names: str) -> None:
        """Set `synchronous_standby_names` on both servers and wait until it counts.

        Also on the standby: once promoted, it must not take writes that it alone has.
        """
        for server in (self.standby, self.primary):
            if server.process is not None:
                _set(server, "synchronous_standby_names", names)
        self._until_replicating(wanted=bool(names))

    def _until_replicating(self, *, wanted: bool) -> None:
        question = (
            "SELECT (count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) > 0) = %s,"
            " pg_sleep(0.02) FROM pg_stat_replication"
        )
        for _ in range(int(START_SECONDS / 0.02)):
            if self.primary.execute(question, (wanted,))[0][0]:
                return
        raise Unavailable("The standby does not follow the primary.")

    def kill_primary(self) -> None:
        """As a power cut does: no goodbye from any of its processes."""
        kill(self.primary)

    def kill_standby(self) -> None:
        """The same for the standby."""
        kill(self.standby)

    def revive_standby(self) -> None:
        """Start a standby again that was killed."""
        self._start(self.standby)
        self._until_replicating(wanted=True)

    def promote(self) -> None:
        """Make the standby the primary; it returns when it takes writes."""
        self.standby.execute("SELECT pg_promote(true, 60)")
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> None:
        """After a promotion: bring the old primary back as the new one's standby."""
        self.standby.rewind_to(self.primary, "standby")
        self.revive_standby()

    def stop(self) -> None:
        """End both servers at once; their files stay."""
        for server in (self.standby, self.primary):
            kill(server)

    def _start(self, server: EmbeddedPostgres) -> None:
        with (self._logs / f"{server.data.name}.log").open("ab") as log:
            server.spawn(log, preexec=die_with_parent(signal.SIGQUIT))
        server.wait_ready()


def _set(server: EmbeddedPostgres, name: str, value: str) -> None:
    """In the server's own file, so that its tools know it too."""
    statement = sql.SQL("ALTER SYSTEM SET {} = {}")
    server.execute(statement.format(sql.Identifier(name), sql.Literal(value)))
    server.execute("SELECT pg_reload_conf()")


def kill(server: EmbeddedPostgres) -> None:
    """SIGKILL to a server and every process it started; returns when they are gone."""
    if server.process is None:
        return
    try:
        processes = psutil.Process(server.process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        processes = []
    server.process.kill()
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    server.process.wait()
    for process in processes:
        _wait_gone(process)
    server.process = None


def _wait_gone(process: psutil.Process) -> None:
    """Until it runs no more. Its new parent may be slow to notice: a zombie is gone, too."""
    for _ in range(int(STOP_SECONDS / 0.01)):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return
            process.wait(0.01)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            return
