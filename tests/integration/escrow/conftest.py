"""A real anvil, a real PostgreSQL, the engine in this process, and two people who trade."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.core.db import Database
from portal.core.settings import Settings
from portal.escrow.chain import ChainClient
from portal.run.chain import anvil_binary
from tests.integration.escrow.world import World

ROOT = Path(__file__).parents[3]
READY_SECONDS = 20


@pytest.fixture(scope="session")
def anvil_path() -> str:
    """The anvil of contracts/, installed first if it is missing."""
    if not (ROOT / "contracts" / "node_modules").exists():
        subprocess.run(["npm", "ci"], cwd=ROOT / "contracts", check=True)
    return str(anvil_binary())


@pytest.fixture
def rpc_url(anvil_path: str) -> Iterator[str]:
    """A fresh chain on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [anvil_path, "--host", "127.0.0.1", "--port", str(port), "--silent"]
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        node.kill()
        node.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("anvil did not start")


@pytest.fixture
def chain_settings(settings: Settings, rpc_url: str) -> Settings:
    """Demo settings that point at the fresh chain."""
    return settings.model_copy(update={"chain_rpc_urls": rpc_url, "escrow_grace_seconds": 60})


@pytest.fixture
def client(rpc_url: str) -> ChainClient:
    """A client of the fresh chain."""
    return ChainClient([rpc_url])


@pytest.fixture
def world(chain_settings: Settings, database: Database) -> Iterator[World]:
    """Contracts deployed, Alice and Bob with wallets, 500 test USDT in Alice's vault."""
    world = World(chain_settings, database)
    yield world
    world.close()
