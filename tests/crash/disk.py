"""PostgreSQL on disk with fsync on, and the ways in which a machine can take it away.

Segments of the write-ahead log are 1 MB here, so that the short life of a test sees many. Nothing
about durability is changed: fsync, full_page_writes and synchronous_commit are as delivered.
"""

import os
import random
import resource
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from portal.run.postgres import EmbeddedPostgres
from tests.crash.power_loss import crash_image

_OPTIONS = {
    # No checkpoint while a round runs: what is on disk is then the last clean stop and the log.
    "checkpoint_timeout": "1h",
    "max_wal_size": "2GB",
    "bgwriter_delay": "10ms",
    "restart_after_crash": "on",
}
_MEMORY, _SCARCE_MEMORY = "32MB", "2MB"
WAL_SEGMENT = 1024 * 1024
_END_SECONDS = 30


class DatabaseOnDisk(EmbeddedPostgres):
    """One PostgreSQL server whose machine the tests may break."""

    def __init__(self, home: Path, port: int, password: str) -> None:
        self.home = home
        self.memory = _MEMORY
        super().__init__(home / "data", port, password, durable=True, connections=60)

    def command(self) -> list[str]:
        """The server's command line."""
        pairs = [part for key, value in _OPTIONS.items() for part in ("-c", f"{key}={value}")]
        return [*super().command(), *pairs, "-c", f"shared_buffers={self.memory}"]

    def make(self) -> None:
        """A new cluster with small segments of the log. The server does not run afterwards."""
        self.initialise()
        self._run("pg_resetwal", "--wal-segsize=1", str(self.data))

    def start(self, *, scarce_memory: bool = False) -> None:
        """Start the server and wait until it answers (after recovery, where there is some).

        With scarce memory it has to write changed pages back all the time.
        """
        self.memory = _SCARCE_MEMORY if scarce_memory else _MEMORY
        with (self.home / "postgres.log").open("ab") as log:
            self.spawn(log)
        self.wait_ready()

    def stop(self) -> None:
        """A clean stop: everything is on disk."""
        self._signal(signal.SIGINT)

    def stop_immediately(self) -> None:
        """`pg_ctl stop -m immediate`: no checkpoint; recovery at the next start."""
        self._signal(signal.SIGQUIT)

    def kill_postmaster(self) -> None:
        """SIGKILL to the postmaster alone; its children find out by themselves."""
        self._signal(signal.SIGKILL)

    def kill_everything(self) -> None:
        """SIGKILL to every process of the server at once."""
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._wait_for(family)

    def kill_one_backend(self, choose: random.Random) -> None:
        """SIGKILL to one process that serves a client: the server restarts all by itself."""
        query = "SELECT pid FROM pg_stat_activity WHERE datname = 'portal' ORDER BY pid"
        pids = [row[0] for row in self.execute(query)]
        if pids:
            os.kill(int(str(choose.choice(pids))), signal.SIGKILL)

    def end_backends(self, application: str) -> None:
        """End the connections of one client program, as an operator can."""
        self.execute(
            sql.SQL(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = {}"
            ).format(sql.Literal(application))
        )

    def fill_disk(self, largest_file: int) -> None:
        """No file may grow beyond this many bytes from now on.

        It is the limit of `ulimit -f`, set on the running server. PostgreSQL ignores its signal on
        purpose, so that a write beyond it fails (EFBIG) and takes the way of a full disk (ENOSPC).
        It needs no root. What it leaves out: a full disk stops small files as well.
        """
        self._limit_files(largest_file)

    def writes_log(self, size: int) -> bool:
        """Have as many bytes written to the log; False when the server could not, or is away."""
        message = "SELECT pg_logical_emit_message(false, 'ballast', repeat('x', %s), true)"
        try:
            self.execute(message, (size,))
        except psycopg.Error:  # The server's last words, or none.
            return False
        return True

    def clear_disk(self) -> None:
        """Files may grow again."""
        self._limit_files(resource.RLIM_INFINITY)

    def _limit_files(self, soft: int) -> None:
        pids = [process.pid for process in self._family()]
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0, "the file limit could not be set"
            return
        # In a process of its own: only the server's own user may limit the server.
        try:
            if self.account is not None:
                os.setresgid(*[self.account.gid] * 3)
                os.setresuid(*[self.account.uid] * 3)
            for pid in pids:
                with suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
            os._exit(0)
        except OSError:
            os._exit(1)

    def keep_copy(self) -> None:
        """Remember the files of a server that was stopped cleanly: all of them are synced."""
        self._copy(self.data, self.home / "synced")

    def save_template(self) -> None:
        """Keep the files of the stopped server for `from_template`."""
        self._copy(self.data, self.home / "template")

    def from_template(self) -> None:
        """Put the kept files in place of the data of a server that does not run."""
        self._copy(self.home / "template", self.data)

    def flushed(self) -> int:
        """How far the write-ahead log is on disk for sure, as a byte position."""
        ((position,),) = self.execute("SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint")
        return int(str(position))

    def lose_power(self, flushed: int, choose: random.Random) -> None:
        """The machine loses power when the log was on disk up to `flushed`.

        `keep_copy` must have been called when the server was last stopped.
        """
        self.kill_everything()
        synced, last = self.home / "synced", self.home / "last"
        shutil.rmtree(last, ignore_errors=True)
        self.data.rename(last)
        self._copy(synced, self.data)
        crash_image(self.data, last, flushed, WAL_SEGMENT, choose)

    def _copy(self, source: Path, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", str(source), str(target)], check=True)

    def _family(self) -> list[psutil.Process]:
        if self.process is None:
            return []
        try:
            postmaster = psutil.Process(self.process.pid)
            return [postmaster, *postmaster.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _signal(self, number: int) -> None:
        family = self._family()
        if family:
            family[0].send_signal(number)
        self._wait_for(family)

    def _wait_for(self, family: list[psutil.Process]) -> None:
        _, left = psutil.wait_procs(family, _END_SECONDS)
        assert not left, f"processes of PostgreSQL do not end: {left}"
        if self.process is not None:
            self.process.wait()
            self.process = None

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # type: ignore[call-overload]
            [str(self.binaries / program), *arguments],
            check=True,
            capture_output=True,
            **self._identity(),
        )
