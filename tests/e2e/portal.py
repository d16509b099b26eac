"""A whole portal as `portal run` starts it, on free ports, with its data in a fresh folder."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from portal.core.settings import Settings

PORTS = ("web", "stream", "engine", "gateway", "postgres", "chain", "replay")
START_SECONDS = 120
_READY = "is running"


class Portal:
    """The running portal. `settings` are those of its processes."""

    def __init__(self, var_dir: Path) -> None:
        self._environment = {
            **os.environ,
            **{f"{name.upper()}_PORT": str(port) for name, port in _free_ports().items()},
            "VAR_DIR": str(var_dir),
            "PORTAL_ENV": "demo",
            "NO_COLOR": "1",
        }
        self._lines: list[str] = []
        self._ready = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "portal.cli", "run"],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_SECONDS) or self._process.poll() is not None:
            self.stop()
            raise RuntimeError("the portal did not start:\n" + self.log())

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.append(line)
            if _READY in line:
                self._ready.set()
        self._ready.set()

    @property
    def base_url(self) -> str:
        """Address of the web role."""
        return f"http://127.0.0.1:{self._environment['WEB_PORT']}"

    @property
    def settings(self) -> Settings:
        """The settings that the portal's processes read, for looking behind the screens."""
        values = {
            name.lower(): value
            for name, value in self._environment.items()
            if name.endswith("_PORT") or name in ("VAR_DIR", "PORTAL_ENV")
        }
        return Settings(_env_file=None, **values)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `portal …` beside it."""
        return subprocess.run(
            [sys.executable, "-m", "portal.cli", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def log(self) -> str:
        """What it printed so far."""
        return "".join(self._lines)

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        code = self._process.wait(60)
        self._reader.join(5)
        return code


def _free_ports() -> dict[str, int]:
    with ExitStack() as probes:
        ports = {}
        for name in PORTS:
            probe = probes.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports[name] = probe.getsockname()[1]
        return ports
