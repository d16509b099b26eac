"""Clients that go away or are slow, too much at once, no database."""

import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from portal.core.db import Database
from portal.core.settings import Settings
from tests.factories.machines import Machine
from tests.integration.gateway.world import GATEWAY_NAME, ORDERS, GatewayWorld, new_name
from tests.services.postgres import WorkerDatabase

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
PATIENCE = 30


@pytest.fixture(scope="module")
def narrow(
    worker_database: WorkerDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayWorld]:
    """A gateway that lets five orders of a key be before the engine, eight in all."""
    url = worker_database.remake()
    settings = Settings(_env_file=None, database_url=url, var_dir=tmp_path_factory.mktemp("var"))
    database = Database(url)
    world = GatewayWorld(
        settings, database, GATEWAY_KEY_IN_FLIGHT="5", GATEWAY_IN_FLIGHT="8", WEB_THREADS="4"
    )
    yield world
    world.close()
    database.dispose()


def until(holds: Callable[[], bool]) -> None:
    deadline, waited = time.monotonic() + PATIENCE, threading.Event()
    while not holds():
        assert time.monotonic() < deadline
        waited.wait(0.02)


def count(world: GatewayWorld, table: str = "order") -> int:
    with world.database.reader() as session:
        return int(session.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one())


def in_flight(world: GatewayWorld) -> int:
    return int(world.send("GET", "/health", b"", {}).body["in_flight"])


def raw_request(machine: Machine, body: dict[str, Any], name: str) -> bytes:
    raw, headers = machine.order(ORDERS, body, name)
    lines = [f"POST {ORDERS} HTTP/1.1", "Host: x", f"Content-Length: {len(raw)}"]
    lines += [f"{header}: {value}" for header, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def dial(world: GatewayWorld) -> socket.socket:
    return socket.create_connection(("127.0.0.1", world.settings.gateway_port), 10)


def test_who_goes_away_and_asks_again_has_one_order(narrow: GatewayWorld) -> None:
    body, name, before = narrow.order(narrow.bob, price="50000"), new_name(), count(narrow)
    narrow.engine.signal(signal.SIGSTOP)
    try:
        with dial(narrow) as client:
            client.sendall(raw_request(narrow.buyer, body, name))
            until(lambda: in_flight(narrow) == 1)
        # The client is gone, its order is before the engine.
    finally:
        narrow.engine.signal(signal.SIGCONT)
    until(lambda: count(narrow) == before + 1)
    first, second = (narrow.post(narrow.buyer, ORDERS, body, key=name) for _ in range(2))
    assert (first.status, first.body) == (201, second.body)
    assert count(narrow) == before + 1
    assert in_flight(narrow) == 0


def test_too_many_orders_at_once_are_told_to_come_back(narrow: GatewayWorld) -> None:
    bodies = [narrow.order(narrow.bob, price="50000") for _ in range(5)]
    narrow.engine.signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(10) as threads:
            held = [threads.submit(narrow.post, narrow.buyer, ORDERS, body) for body in bodies]
            until(lambda: in_flight(narrow) == 5)
            refused = narrow.post(narrow.buyer, ORDERS, bodies[0])
            assert (refused.status, refused.error["code"]) == (429, "too_many_requests")
            assert refused.headers["retry-after"] == "1"
            # Another key has what room there is in all.
            other = {"orders": [narrow.order(narrow.alice, price="50000")] * 4}
            whole = narrow.post(narrow.seller, f"{ORDERS}/batch", other)
            assert whole.status == 429
            narrow.engine.signal(signal.SIGCONT)
            assert [one.result().status for one in held] == [201] * 5
    finally:
        narrow.engine.signal(signal.SIGCONT)
    assert narrow.post(narrow.buyer, ORDERS, bodies[0]).status == 201


def test_slow_senders_keep_nobody_waiting(narrow: GatewayWorld) -> None:
    whole = raw_request(narrow.buyer, narrow.order(narrow.bob, price="50000"), new_name())
    slow = [dial(narrow) for _ in range(200)]
    try:
        for at, client in enumerate(slow):
            client.sendall(whole[: 40 if at % 2 else len(whole) - 5])
        assert narrow.post(narrow.buyer, ORDERS, narrow.order(narrow.bob)).status == 201
        slow[0].sendall(whole[len(whole) - 5 :])
        assert slow[0].recv(4096).startswith(b"HTTP/1.1 201")
    finally:
        for client in slow:
            client.close()


def test_one_connection_carries_many_requests(narrow: GatewayWorld) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", narrow.settings.gateway_port, timeout=20)
    connection.connect()
    mine = connection.sock.getsockname()
    for price in range(50_000, 50_020):
        body = narrow.order(narrow.bob, price=str(price))
        raw, headers = narrow.buyer.order(ORDERS, body)
        connection.request("POST", ORDERS, raw, headers)
        response = connection.getresponse()
        assert response.status == 201
        response.read()
        assert connection.sock.getsockname() == mine
    connection.close()


def test_without_the_database_nothing_is_decided_from_memory(
    narrow: GatewayWorld, worker_database: WorkerDatabase
) -> None:
    body = narrow.order(narrow.bob, price="50000")
    assert narrow.post(narrow.buyer, ORDERS, body).status == 201
    name = sql.Identifier(worker_database.name)
    with psycopg.connect(worker_database.server, autocommit=True) as server:
        server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND application_name = %s",
                (worker_database.name, GATEWAY_NAME),
            )
            until(lambda: narrow.post(narrow.buyer, ORDERS, body).status == 503)
            assert narrow.send("GET", "/health", b"", {}).status == 503
            assert narrow.post(narrow.buyer, ORDERS, body).headers["retry-after"] == "1"
        finally:
            server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    until(lambda: narrow.post(narrow.buyer, ORDERS, body).status == 201)


def test_requests_sent_ahead_are_answered_in_their_order(narrow: GatewayWorld) -> None:
    requests = [
        raw_request(narrow.buyer, narrow.order(narrow.bob, price=str(price)), new_name())
        for price in (50_001, 50_002)
    ]
    with dial(narrow) as client:
        client.sendall(b"".join(requests))
        received = b""
        while received.count(b"HTTP/1.1 ") < 2 or not received.endswith(b"}"):
            part = client.recv(65536)
            assert part, received
            received += part
    bodies = [piece.partition(b"\r\n\r\n")[2] for piece in received.split(b"HTTP/1.1 ")[1:]]
    ids = [json.loads(body)["order_id"] for body in bodies]
    assert ids == sorted(ids)
