"""A portal with both doors: Flask's in this process, the gateway's in its own, one real engine."""

import http.client
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from portal.core.db import Database
from portal.core.settings import Settings
from portal.engine.client import EngineClient
from portal.users.models import ApiKey, User
from tests.factories.machines import Machine
from tests.integration.api import world as api
from tests.integration.api.world import Trader
from tests.integration.gateway.processes import Role, accepts, free_ports, healthy

ORDERS = "/api/v1/orders"
# Its connections at PostgreSQL, for a test that cuts them off.
GATEWAY_NAME = "portal gateway"


@dataclass
class Answer:
    """An answer of either door."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a refusal."""
        assert self.status >= 400, self
        return dict(self.body["error"])


class GatewayWorld:
    """Engine and gateway run; Alice sells, Bob buys, each with a key that may do everything."""

    def __init__(self, settings: Settings, database: Database, **gateway: str) -> None:
        engine_port, gateway_port = free_ports(2)
        self.settings = settings.model_copy(
            update={"engine_port": engine_port, "gateway_port": gateway_port}
        )
        self.roles: list[Role] = []
        try:
            self._begin(database, gateway)
        except BaseException:
            self.close()
            raise

    def _begin(self, database: Database, gateway: dict[str, str]) -> None:
        engine_port, gateway_port = self.settings.engine_port, self.settings.gateway_port
        self.engine = self._role("engine", lambda: accepts(engine_port))
        self.api = api.World(self.settings, database, EngineClient(self.settings))
        self.gateway = self._role(
            "gateway", lambda: healthy(gateway_port), PGAPPNAME=GATEWAY_NAME, **gateway
        )
        self.alice = self.outfit("Alice", api.IBANS[0])
        self.bob = self.outfit("Bob", api.IBANS[1])
        self.api.fund(self.alice, "BTC", 1_000 * 10**8)
        self.seller, self.buyer = self.machine(self.alice), self.machine(self.bob)

    def _role(self, name: str, ready: Callable[[], bool], **more: str) -> Role:
        role = Role(name, self.settings, ready, **more)
        self.roles.append(role)
        role.wait_ready()
        return role

    @property
    def database(self) -> Database:
        """The database of both doors."""
        return self.api.database

    def close(self) -> None:
        """Stop what runs."""
        for role in reversed(self.roles):
            role.stop()

    def outfit(self, name: str, iban: str, **about: Any) -> Trader:
        """A trader with a wallet and a bank account."""
        return self.api.outfit(self.api.trader(name, **about), iban)

    def machine(self, person: Trader, **wish: Any) -> Machine:
        """A key made over the API, with a fresh code."""
        self.api.forget_codes(person)
        body = {"label": "bot", "scopes": ["read", "trade"], "code": person.code(), **wish}
        made = person.post("/me/api-keys", body)
        assert made.status_code == 201, made.text
        return Machine(made.json["id"], made.json["secret"])

    def order(self, person: Trader, **changes: Any) -> dict[str, Any]:
        """An order on the ledger market, with changes."""
        return api.order_body(person, **changes)

    def send(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        timeout: float = 20,
    ) -> Answer:
        """One request to the gateway."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.settings.gateway_port, timeout=timeout
        )
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            text = response.read()
            return Answer(
                response.status,
                json.loads(text) if text else None,
                {name.lower(): value for name, value in response.getheaders()},
            )
        finally:
            connection.close()

    def post(self, machine: Machine, path: str, content: Any, *, key: str | None = None) -> Answer:
        """Signed content to the gateway."""
        raw, headers = machine.order(path, content, key)
        return self.send("POST", path, raw, headers)

    def through(
        self, door: str, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> Answer:
        """The same request through either door."""
        if door == "gateway":
            return self.send(method, path, body, headers)
        reply = self.api.client().open(path, method=method, data=body, headers=headers)
        return Answer(reply.status_code, reply.json, dict(reply.headers.to_wsgi_list()))

    def change_person(self, person: Trader, **changes: Any) -> None:
        """Change a person's row as staff would."""
        with self.database.transaction() as session:
            user = session.get_one(User, person.id)
            for name, value in changes.items():
                setattr(user, name, value)

    def keys_of(self, person: Trader) -> list[str]:
        """Ids of a person's keys."""
        with self.database.reader() as session:
            found = session.query(ApiKey.id).filter(ApiKey.user_id == person.id).all()
        return [row.id for row in found]


def new_name() -> str:
    """A name of an order that nobody used."""
    return uuid.uuid4().hex
