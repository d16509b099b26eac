"""`portal run` for real: every part starts, survives a kill -9 of its parent, and stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
PORTS = (
    "WEB_PORT", "STREAM_PORT", "ENGINE_PORT", "GATEWAY_PORT", "POSTGRES_PORT", "CHAIN_PORT",
    "REPLAY_PORT",
)  # fmt: skip

pytestmark = [pytest.mark.postgres, pytest.mark.chain, pytest.mark.slow]


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Portal:
    """A `portal run` with data and ports of its own."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        self.process: subprocess.Popen[str] | None = None
        self.text = ""

    def start(self) -> subprocess.Popen[str]:
        unset = ("DATABASE_URL", "CHAIN_RPC_URLS", "PRICE_REPLAY_URL", "PORTAL_ENV")
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {name: str(number) for name, number in self.ports.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "portal.cli", "run"],
            cwd=ROOT, env=environment | {"VAR_DIR": str(self.var)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        return self.process

    def until(self, words: str) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line
            if words in line:
                return
        raise AssertionError(f"{words!r} was never printed:\n{self.text[-6000:]}")

    def children(self) -> list[psutil.Process]:
        notes = (self.var / "run").glob("*.pid")
        return [psutil.Process(json.loads(note.read_text())["pid"]) for note in notes]

    def get(self, path: str) -> int:
        url = f"http://127.0.0.1:{self.ports['WEB_PORT']}{path}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)


@pytest.fixture
def portal() -> Iterator[Portal]:
    with tempfile.TemporaryDirectory(prefix="otc-portal-run-") as name:
        Path(name).chmod(0o755)
        portal = Portal(Path(name) / "var")
        yield portal
        if portal.process is not None and portal.process.poll() is None:
            portal.process.send_signal(signal.SIGTERM)
            portal.process.communicate(timeout=60)


def test_start_kill_start_again_and_stop(portal: Portal) -> None:
    portal.start()
    portal.until("is running")
    assert portal.get("/healthz") == 200
    assert portal.get("/backoffice/login") == 200
    before = portal.children()
    assert len(before) == 8

    assert portal.process is not None
    portal.process.kill()
    portal.process.wait()
    portal.start()
    portal.until("is running")
    assert portal.get("/healthz") == 200
    assert not any(process.is_running() for process in before)

    after = portal.children()
    portal.process.send_signal(signal.SIGINT)
    said, _ = portal.process.communicate(timeout=60)
    assert "everything has stopped" in said
    assert portal.process.returncode == 0
    assert not any(process.is_running() for process in after)


def test_a_taken_port_stops_it_before_anything_starts(portal: Portal) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", portal.ports["WEB_PORT"]))
        other.listen()
        said, _ = portal.start().communicate(timeout=60)
    assert portal.process is not None
    assert portal.process.returncode == 2
    number = portal.ports["WEB_PORT"]
    assert f"Port {number} is taken by another program. Set WEB_PORT to a free port." in said
    assert not (portal.var / "postgres").exists()
