"""The engine process killed under load, again and again: what it acknowledged is there, once."""

import os
import signal
import socket
import subprocess
import sys
import threading

import orjson
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.audit.checks import chain_differences
from portal.core.db import Database
from portal.core.errors import PortalError
from portal.core.settings import Settings
from portal.engine import replay
from portal.engine.client import EngineClient
from tests.factories.engine import ALICE, BOB, USDT, define_market, deposit, place_order

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

ROUNDS = 4
CLIENTS = 4
START_SECONDS = 30


class Killable:
    """`portal engine` as a process of its own."""

    def __init__(self, settings: Settings) -> None:
        environment = {
            **os.environ,
            "DATABASE_URL": str(settings.database_url),
            "ENGINE_PORT": str(settings.engine_port),
        }
        self._address = (settings.engine_host, settings.engine_port)
        command = [sys.executable, "-m", "portal.cli", "engine"]
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        waited = threading.Event()
        for _ in range(START_SECONDS * 20):
            try:
                socket.create_connection(self._address, 1).close()
                return
            except OSError:
                assert self._process.poll() is None, "the engine ended"
                waited.wait(0.05)
        raise AssertionError("the engine does not listen")

    def kill(self) -> None:
        """As a power cut does: no goodbye."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def engine_settings(settings: Settings) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return settings.model_copy(update={"engine_port": port})


def trade_until(
    client: EngineClient, name: str, stop: threading.Event, acknowledged: dict[str, int]
) -> None:
    """Place keyed orders on both sides, as fast as answers come."""
    number = 0
    while not stop.is_set():
        key = f"{name}:{number}"
        seller = number % 2 == 0
        order = place_order(
            key=key,
            owner=ALICE if seller else BOB,
            side="sell" if seller else "buy",
            quantity=USDT,
        )
        try:
            acknowledged[key] = client.submit(order)["order_id"]
            number += 1
        except PortalError:
            stop.wait(0.02)


def stored_orders(session: Session) -> dict[str, int]:
    """The order that each key made, as the journal has it."""
    answers = {}
    for (batch,) in session.execute(text("SELECT answers FROM journal")):
        answers |= orjson.loads(batch)
    keys = session.execute(text("SELECT key, seq FROM command_key"))
    return {key: answers[str(seq)]["order_id"] for key, seq in keys}


def test_nothing_acknowledged_is_lost_and_nothing_is_there_twice(
    engine_settings: Settings, database: Database, database_url: str
) -> None:
    acknowledged: dict[str, int] = {}
    stop = threading.Event()
    engine = Killable(engine_settings)
    client = EngineClient(engine_settings)
    client.submit(define_market())
    client.submit(deposit(units=10**12))
    workers = [
        threading.Thread(target=trade_until, args=(client, f"worker{n}", stop, acknowledged))
        for n in range(CLIENTS)
    ]
    for worker in workers:
        worker.start()
    for number in range(ROUNDS):
        stop.wait(0.4 + 0.13 * number)
        engine.kill()
        engine = Killable(engine_settings)
    stop.wait(0.5)
    stop.set()
    for worker in workers:
        worker.join(30)
    engine.kill()

    assert len(acknowledged) > ROUNDS * CLIENTS
    with database.reader() as session:
        stored = stored_orders(session)
        orders = session.execute(text('SELECT count(*) FROM "order"')).scalar_one()
        assert list(chain_differences(session)) == []
    assert acknowledged.items() <= stored.items()
    assert orders == len(stored)
    with psycopg.connect(database_url) as connection:
        assert replay.differences(connection, "main") == []
