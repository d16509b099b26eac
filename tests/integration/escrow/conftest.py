"""A real anvil, a real PostgreSQL, the engine in this process, and two people who trade."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_utils.conversions import to_hex
from eth_utils.crypto import keccak

from portal.core.db import Database
from portal.core.settings import Settings
from portal.escrow.chain.client import ChainClient
from portal.run.chain import anvil_binary
from tests.integration.escrow.world import World

ROOT = Path(__file__).parents[3]
READY_SECONDS = 20
MINED_SECONDS = 3


@pytest.fixture(scope="session")
def anvil_path() -> str:
    """The anvil of contracts/, installed first if it is missing."""
    if not (ROOT / "contracts" / "node_modules").exists():
        subprocess.run(["npm", "ci"], cwd=ROOT / "contracts", check=True)
    return str(anvil_binary())


@pytest.fixture
def rpc_url(anvil_path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh chain on a free port; what is broadcast is mined before the test goes on."""
    mine_before_going_on(monkeypatch)
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


def mine_before_going_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anvil answers a broadcast before it has mined it; on a busy machine a test would look too
    early. A transaction that can't be mined yet (a gap in the nonces) is not waited for long.
    """
    broadcast = ChainClient.broadcast

    def and_wait(client: ChainClient, raw: str) -> None:
        broadcast(client, raw)
        wait_mined(client, to_hex(keccak(hexstr=raw)))

    monkeypatch.setattr(ChainClient, "broadcast", and_wait)


def wait_mined(client: ChainClient, tx_hash: str) -> None:
    """Give the node a few seconds to mine a transaction that it has."""
    deadline = time.monotonic() + MINED_SECONDS
    while client.receipt(tx_hash) is None and time.monotonic() < deadline:
        time.sleep(0.01)


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
