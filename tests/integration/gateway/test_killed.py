"""Engine and gateway killed under load: what was acknowledged is there, once."""

import http.client
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from portal.audit.checks import chain_differences
from portal.core.db import Database
from portal.core.settings import Settings
from tests.factories.machines import Machine
from tests.integration.gateway.processes import accepts
from tests.integration.gateway.world import ORDERS, Answer, GatewayWorld

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
PATIENCE = 60


def until(holds: Callable[[], bool]) -> None:
    deadline, waited = time.monotonic() + PATIENCE, threading.Event()
    while not holds():
        assert time.monotonic() < deadline
        waited.wait(0.02)


class Stubborn(threading.Thread):
    """A client that asks again under the same name until it has an answer."""

    def __init__(self, world: GatewayWorld, machine: Machine, person: Any, side: str) -> None:
        super().__init__()
        self.world, self.machine, self.person, self.side = world, machine, person, side
        self.stop = threading.Event()
        self.acknowledged: dict[str, int] = {}
        self.trouble: list[Answer] = []

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            name = f"{self.machine.key}-{number}"
            price = "52000" if number % 2 else "51000"
            body = self.world.order(
                self.person, side=self.side, price=price, quantity="0.0002", client_id=name
            )
            try:
                answer = self.world.post(self.machine, ORDERS, body)
            except (OSError, http.client.HTTPException):
                self.stop.wait(0.05)
                continue
            if answer.status == 201:
                self.acknowledged[name] = answer.body["order_id"]
                number += 1
            elif answer.status in (429, 503):
                self.stop.wait(0.05)
            else:
                self.trouble.append(answer)
                return


def test_engine_and_gateway_killed_under_load(settings: Settings, database: Database) -> None:
    world = GatewayWorld(settings, database)
    try:
        clients = [
            Stubborn(world, machine, person, side)
            for machine, person, side in (
                (world.seller, world.alice, "sell"),
                (world.buyer, world.bob, "buy"),
            )
        ]
        for client in clients:
            client.start()
        for role in (world.engine, world.gateway, world.engine):
            seen = [len(client.acknowledged) for client in clients]
            until(
                lambda seen=seen: all(  # type: ignore[misc]
                    len(client.acknowledged) >= before + 20
                    for client, before in zip(clients, seen, strict=True)
                )
            )
            role.kill()
            if role is world.gateway:
                # Its worker must not outlive it: it would share the port with the next one's.
                until(lambda: not accepts(world.settings.gateway_port))
            role.start()
            role.wait_ready()
        for client in clients:
            client.stop.set()
            client.join(PATIENCE)
        assert [client.trouble for client in clients] == [[], []]
        acknowledged = {order for client in clients for order in client.acknowledged.values()}
        named = sum(len(client.acknowledged) for client in clients)
        assert len(acknowledged) == named
        with database.reader() as session:
            rows = session.execute(text('SELECT id FROM "order"')).scalars().all()
            assert list(chain_differences(session)) == []
        assert acknowledged <= set(rows)
        # Each client had at most one order under way that it never heard of.
        assert len(rows) <= named + len(clients)
    finally:
        world.close()
