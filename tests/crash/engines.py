"""Engine processes that can be killed, frozen and woken, with clocks that can be set."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EngineProcess:
    """One `portal engine` on a port of its own; started again by `keep_alive` when it ended."""

    def __init__(self, database_url: str, token: str, log: Path) -> None:
        self.port = free_port()
        self.frozen = False
        self.clock_off_ms = 0
        self.starts = 0
        self._log = log
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "ENGINE_TOKEN": token,
            "ENGINE_PORT": str(self.port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep_alive(self) -> None:
        """Start it when it does not run, as a supervisor does."""
        if self.alive:
            return
        self.end()
        command = [sys.executable, "-m", "tests.crash.engine_process", str(self.clock_off_ms)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self.frozen = False
        self.starts += 1

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and its memory, and does nothing."""
        self._signal(signal.SIGSTOP)
        self.frozen = True

    def wake(self) -> None:
        """SIGCONT: it goes on where it stopped, and knows nothing of the time between."""
        self._signal(signal.SIGCONT)
        self.frozen = False

    def set_clock(self, off_ms: int) -> None:
        """Put its clock this far off the real one, now and after a restart."""
        self.clock_off_ms = off_ms
        if self.alive and self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(b"%d\n" % off_ms)
            self._process.stdin.flush()

    def end(self) -> None:
        """Kill it and close what we hold of it."""
        if self._process is None:
            return
        self.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None

    def _signal(self, number: int) -> None:
        if self.alive and self._process is not None:
            self._process.send_signal(number)
