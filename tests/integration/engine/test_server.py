"""The engine process over its socket, with the real client."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from portal.core.errors import InvalidInput, Unavailable
from portal.core.settings import Settings
from portal.engine import frames, store
from portal.engine.client import EngineClient
from portal.engine.sequencer import Sequencer
from portal.engine.server import EngineServer
from tests.factories.engine import define_market, deposit, place_order

pytestmark = pytest.mark.postgres


class Running:
    """An engine in a thread of this process, on its own event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self.server = EngineServer(settings)
        self._task = self._loop.create_task(self.server.run())
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())

    def wait_until_it_serves(self) -> None:
        while True:
            try:
                address = (self._settings.engine_host, self._settings.engine_port)
                socket.create_connection(address, 1).close()
                return
            except OSError:
                threading.Event().wait(0.02)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)


@pytest.fixture
def engine_settings(settings: Settings) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return settings.model_copy(update={"engine_port": probe.getsockname()[1]})


@pytest.fixture
def running(engine_settings: Settings) -> Iterator[Running]:
    running = Running(engine_settings)
    running.wait_until_it_serves()
    yield running
    running.stop()


@pytest.fixture
def client(running: Running, engine_settings: Settings) -> EngineClient:
    client = EngineClient(engine_settings)
    client.submit(define_market())
    client.submit(deposit(units=10**12))
    return client


def test_a_command_is_answered_over_the_socket(client: EngineClient) -> None:
    assert client.submit(place_order())["status"] == "open"


def test_a_refusal_keeps_its_kind_and_field(client: EngineClient) -> None:
    with pytest.raises(InvalidInput) as caught:
        client.submit(place_order(quantity=-1))
    assert caught.value.field == "quantity"


def test_many_clients_at_once_are_each_answered(client: EngineClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.submit(place_order()), range(64)))
    ids = [answer["order_id"] for answer in answers]
    assert len(set(ids)) == 64


def test_without_an_engine_the_client_says_so(engine_settings: Settings) -> None:
    with pytest.raises(Unavailable):
        EngineClient(engine_settings).submit(place_order())


def test_a_wrong_token_gets_no_answer(running: Running, engine_settings: Settings) -> None:
    wrong = engine_settings.model_copy(
        update={"engine_token": type(engine_settings.engine_token)("x")}
    )
    with pytest.raises(Unavailable):
        EngineClient(wrong).submit(place_order())


@pytest.mark.parametrize("rubbish", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\0\0\0\2{}"])
def test_rubbish_on_the_socket_hurts_nobody(
    client: EngineClient, engine_settings: Settings, rubbish: bytes
) -> None:
    address = (engine_settings.engine_host, engine_settings.engine_port)
    with socket.create_connection(address, 5) as connection:
        connection.sendall(rubbish)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert client.submit(place_order())["status"] == "open"


def test_a_keyed_command_survives_a_restart_of_the_engine(
    client: EngineClient, running: Running, engine_settings: Settings
) -> None:
    first = client.submit(place_order(key="a:1"))
    running.stop()
    again = Running(engine_settings)
    again.wait_until_it_serves()
    assert client.submit(place_order(key="a:1")) == first
    again.stop()


def test_a_second_engine_stands_by_until_the_first_is_gone(
    client: EngineClient, running: Running, engine_settings: Settings
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        other_port = probe.getsockname()[1]
    standby = Running(engine_settings.model_copy(update={"engine_port": other_port}))
    client.submit(place_order())
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", other_port), 1)
    running.stop()
    standby.wait_until_it_serves()
    standby.stop()


def test_a_frame_beyond_the_limit_is_refused() -> None:
    with pytest.raises(frames.BadFrame):
        frames.length_of(frames.HEADER.pack(frames.MAX_FRAME + 1))


def test_keys_of_an_earlier_engine_are_learnt_and_new_ones_ask_no_database(
    engine_settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = Sequencer(database_url)
    earlier.run([define_market(), deposit()])
    (first,) = earlier.run([place_order(key="alice:1")])
    earlier.stop()
    running = Running(engine_settings)
    running.wait_until_it_serves()
    while not running.server._sequencer.used_keys.complete:
        threading.Event().wait(0.02)
    asked: list[str] = []
    find = store.find_keys

    def counted(connection: Any, shard: str, keys: Any, day: int) -> dict[str, int]:
        asked.extend(keys)
        return find(connection, shard, keys, day)

    monkeypatch.setattr(store, "find_keys", counted)
    client = EngineClient(engine_settings)
    try:
        assert client.submit(place_order(key="alice:2"))["status"] == "open"
        assert asked == []
        assert client.submit(place_order(key="alice:1")) == first
        assert asked == ["alice:1"]
    finally:
        running.stop()
