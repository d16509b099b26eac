"""Processes that a bench starts, measures and surely ends."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from portal.core.errors import Unavailable
from portal.run.child import die_with_parent

STOP_SECONDS = 10.0
_MEGABYTE = 1_000_000


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server process of ours. Its log goes to a file; it dies when we do."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )

    def wait_listening(self, port: int, seconds: float = 60.0) -> None:
        """Return when it accepts connections. Raises Unavailable with the end of its log."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            if self.exited(0.02):
                break
        raise Unavailable(f"{self.name} does not serve.", hint=self.last_words())

    def exited(self, seconds: float) -> bool:
        """Whether it ends within `seconds`."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to stop; kill it, and whatever it started, when it does not."""
        self.signal(number)
        self.exited(STOP_SECONDS)
        self.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it lives."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it and its group as a power cut would: no goodbye."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its children, in megabytes."""
    total = 0
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return round(total / _MEGABYTE, 1)


class CpuMeter:
    """Processor time of process families between two moments, in cores."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._from = {name: self._seconds(pid) for name, pid in self._pids.items()}
        self._started = time.monotonic()

    def cores(self) -> dict[str, float]:
        """Cores that each family kept busy since this meter was made."""
        passed = time.monotonic() - self._started
        return {
            name: round((self._seconds(pid) - self._from[name]) / passed, 2)
            for name, pid in self._pids.items()
        }

    @staticmethod
    def _seconds(pid: int) -> float:
        total = 0.0
        for process in _family(pid):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total


def _family(pid: int) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        yield leader
        yield from leader.children(recursive=True)
