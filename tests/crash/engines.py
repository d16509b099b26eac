"""The portal's processes: they can be killed; engines also frozen and woken, their clocks set."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PortalProcess:
    """A role of the portal; started again by `keep_alive` when it has ended."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep_alive(self) -> None:
        """Start it when it does not run, as a supervisor does."""
        if self.alive:
            return
        self.end()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._command, *self._more_arguments()],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL to it and the processes that it has started: no goodbye."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def end(self) -> None:
        """Kill it and close what we hold of it."""
        if self._process is None:
            return
        self.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None

    def kill_alone(self) -> None:
        """SIGKILL to it; what it has started is left behind."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def kill_children(self) -> None:
        """SIGKILL to what it has started, and not to itself."""
        if self._process is not None:
            for child in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()

    def _more_arguments(self) -> list[str]:
        return []

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


class EngineProcess(PortalProcess):
    """One `portal engine` on a port of its own."""

    def __init__(self, database_url: str, log: Path) -> None:
        self.port = free_port()
        self.frozen = False
        self.clock_off_ms = 0
        environment = {"DATABASE_URL": database_url, "ENGINE_PORT": str(self.port)}
        super().__init__(["tests.crash.engine_process"], environment, log)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and its memory, and does nothing."""
        self._signal(signal.SIGSTOP)
        self.frozen = True

    def wake(self) -> None:
        """SIGCONT: it goes on where it stopped, and knows nothing of the time between."""
        self._signal(signal.SIGCONT)
        self.frozen = False

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        super().kill()
        self.frozen = False

    def set_clock(self, off_ms: int) -> None:
        """Put its clock this far off the real one, now and after a restart."""
        self.clock_off_ms = off_ms
        if self.alive and self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(b"%d\n" % off_ms)
                self._process.stdin.flush()

    def _more_arguments(self) -> list[str]:
        return [str(self.clock_off_ms)]


class GatewayProcess(PortalProcess):
    """One `portal gateway`, which looks for the engine that leads by itself."""

    def __init__(self, database_url: str, engines: list[EngineProcess], log: Path) -> None:
        self.port = free_port()
        environment = {
            "DATABASE_URL": database_url,
            "GATEWAY_PORT": str(self.port),
            "ENGINE_ADDRESSES": ",".join(f"127.0.0.1:{engine.port}" for engine in engines),
        }
        super().__init__(["portal.cli", "gateway"], environment, log)
