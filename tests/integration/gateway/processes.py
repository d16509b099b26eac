"""The engine and the gateway as processes of their own, as they run in production."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

from portal.core.settings import Settings

START_SECONDS = 40


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Role:
    """`portal <name>` until it is stopped or killed."""

    def __init__(
        self, name: str, settings: Settings, ready: Callable[[], bool], **more: str
    ) -> None:
        self._name, self._ready = name, ready
        self._environment = {
            **os.environ,
            "DATABASE_URL": str(settings.database_url),
            "ENGINE_PORT": str(settings.engine_port),
            "GATEWAY_PORT": str(settings.gateway_port),
            "VAR_DIR": str(settings.var_dir),
            **more,
        }
        self.start()

    def start(self) -> None:
        """Start it; `wait_ready` waits for it."""
        command = [sys.executable, "-m", "portal.cli", self._name]
        self.log = open(  # noqa: SIM115 (as long as the process)
            os.path.join(self._environment["VAR_DIR"], f"{self._name}.log"), "ab"
        )
        self.process = subprocess.Popen(
            command, env=self._environment, stdout=self.log, stderr=self.log
        )

    def wait_ready(self) -> None:
        """Wait until it serves."""
        waited = threading.Event()
        for _ in range(START_SECONDS * 20):
            if self._ready():
                return
            assert self.process.poll() is None, f"{self._name} ended: {self.said()}"
            waited.wait(0.05)
        raise AssertionError(f"{self._name} is not ready: {self.said()}")

    def said(self) -> str:
        """What it wrote."""
        with open(self.log.name) as log:
            return log.read()[-4000:]

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """As a power cut does: no goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def stop(self) -> int:
        """As a supervisor does; the exit code. It may have ended before."""
        self.process.terminate()
        try:
            return self.process.wait(15)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()


def accepts(port: int) -> bool:
    """Somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def healthy(port: int) -> bool:
    """The gateway has engine and database in reach."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
