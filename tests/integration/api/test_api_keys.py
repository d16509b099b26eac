"""Keys for machines: who makes them, what is kept of them, what they open at the API."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.audit.models import AuditEvent
from portal.users.api_keys import MOST_KEYS
from portal.users.models import ApiKey, User
from tests.factories.machines import Machine
from tests.integration.api.world import Trader, World, order_body

pytestmark = pytest.mark.postgres
KEYS = "/me/api-keys"


def wish(person: Trader, **changes: Any) -> dict[str, Any]:
    body = {"label": "bot", "scopes": ["read", "trade"], "code": person.code(), **changes}
    return {name: value for name, value in body.items() if value is not None}


def make(world: World, person: Trader, **changes: Any) -> Machine:
    world.forget_codes(person)
    made = person.post(KEYS, wish(person, **changes))
    assert made.status_code == 201, made.text
    return Machine(made.json["id"], made.json["secret"])


def signed(
    world: World, machine: Machine, method: str, path: str, body: Any = None, key: str = ""
) -> TestResponse:
    path, _, query = ("/api/v1" + path).partition("?")
    raw = b"" if body is None else json.dumps(body).encode()
    headers = machine.headers(method, path, raw, query=query, idempotency_key=key)
    return world.client().open(
        path, method=method, data=raw, headers=headers, query_string=query or None
    )


def test_the_secret_is_shown_once_and_kept_sealed(world: World, bob: Trader) -> None:
    machine = make(world, bob)
    assert isinstance(machine.secret, str)
    shown = bob.get(KEYS).json["keys"]
    assert [(key["id"], "secret" in key) for key in shown] == [(machine.key, False)]
    with world.database.reader() as session:
        row = session.get_one(ApiKey, machine.key)
        kept = [getattr(row, column.key) for column in ApiKey.__table__.columns]
        events = session.scalars(select(AuditEvent).where(AuditEvent.kind == "api_key.created"))
        told = [event.data for event in events]
    assert machine.secret not in json.dumps(kept, default=str) + json.dumps(told)
    assert [event["key"] for event in told] == [machine.key]


def test_making_a_key_takes_a_fresh_code(world: World, bob: Trader) -> None:
    world.forget_codes(bob)
    code = bob.code()
    assert bob.post(KEYS, wish(bob, code=code)).status_code == 201
    used = bob.post(KEYS, wish(bob, code=code))
    assert (used.status_code, used.json["error"]["field"]) == (422, "code")
    for _ in range(4):
        bob.post(KEYS, wish(bob, code="000000"))
    assert bob.post(KEYS, wish(bob, code="000000")).status_code == 429
    assert len(bob.get(KEYS).json["keys"]) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["withdraw"]}, "scopes.0"),
        ({"label": ""}, "label"),
        ({"algorithm": "md5"}, "algorithm"),
        ({"networks": ["example.org"]}, "networks.0"),
        ({"networks": ["10.0.0.1/8"]}, "networks.0"),
        ({"max_open_orders": 0}, "max_open_orders"),
        ({"public_key": base64.b64encode(b"x" * 32).decode()}, "public_key"),
        ({"algorithm": "ed25519"}, "public_key"),
        ({"algorithm": "ed25519", "public_key": "AAAA"}, "public_key"),
        ({"algorithm": "ed25519", "public_key": "no base64!"}, "public_key"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(
    world: World, bob: Trader, changes: dict[str, Any], field: str
) -> None:
    world.forget_codes(bob)
    refused = bob.post(KEYS, wish(bob, **changes))
    assert (refused.status_code, refused.json["error"]["field"]) == (422, field)
    assert bob.get(KEYS).json["keys"] == []


def test_a_person_has_only_so_many_keys(world: World, bob: Trader) -> None:
    with world.database.transaction() as session:
        for number in range(MOST_KEYS):
            session.add(
                ApiKey(
                    id=f"{number:016x}", user_id=bob.id, label="x", algorithm="hmac-sha256",
                    scopes=["read"], networks=[],
                )
            )  # fmt: skip
    world.forget_codes(bob)
    assert bob.post(KEYS, wish(bob)).status_code == 409
    assert bob.delete(f"{KEYS}/{0:016x}").status_code == 204
    make(world, bob)


def test_only_its_owner_revokes_a_key(world: World, alice: Trader, bob: Trader) -> None:
    machine = make(world, bob)
    assert alice.delete(f"{KEYS}/{machine.key}").status_code == 404
    assert bob.delete(f"{KEYS}/{'0' * 16}").status_code == 404
    assert signed(world, machine, "GET", "/me").status_code == 200
    for _ in range(2):
        assert bob.delete(f"{KEYS}/{machine.key}").status_code == 204
    assert signed(world, machine, "GET", "/me").status_code == 401
    assert bob.get(KEYS).json["keys"] == []
    with world.database.reader() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.kind == "api_key.revoked"))
        assert len(events.all()) == 1


def test_a_key_reads_with_its_query_signed(world: World, bob: Trader) -> None:
    machine = make(world, bob, scopes=["read"])
    assert signed(world, machine, "GET", "/orders?status=all").status_code == 200
    headers = machine.headers("GET", "/api/v1/orders", query="status=all")
    other = world.client().get("/api/v1/orders?status=open", headers=headers)
    assert other.status_code == 401


def test_a_key_trades_where_it_may_and_does_nothing_else(world: World, bob: Trader) -> None:
    reader, trader = make(world, bob, scopes=["read"]), make(world, bob, scopes=["trade"])
    body = order_body(bob, price="50000")
    refused = signed(world, reader, "POST", "/orders", body, "name-00000001")
    assert (refused.status_code, refused.json["error"]["code"]) == (403, "forbidden")
    placed = signed(world, trader, "POST", "/orders", body, "name-00000001")
    assert placed.status_code == 201, placed.text
    assert signed(world, trader, "GET", "/me").status_code == 403
    cancel = f"/orders/{placed.json['order']['id']}/cancel"
    assert signed(world, trader, "POST", cancel).status_code == 200
    both = make(world, bob)
    for method, path in (
        ("GET", "/auth/session"),
        ("POST", "/auth/logout"),
        ("GET", KEYS),
        ("POST", KEYS),
        ("DELETE", f"{KEYS}/{both.key}"),
        ("POST", "/me/payment-accounts"),
        ("DELETE", f"/me/payment-accounts/{bob.payment_account}"),
        ("POST", "/me/wallet"),
        ("POST", "/trades/1/paid"),
        ("POST", "/trades/1/release"),
    ):
        answer = signed(world, both, method, path, {} if method == "POST" else None)
        assert (answer.status_code, answer.json["error"]["message"]) == (
            403, "This is for people: log in.",
        ), path  # fmt: skip


def test_a_key_is_worth_what_its_owner_is(world: World, bob: Trader) -> None:
    machine = make(world, bob)
    with world.database.transaction() as session:
        session.get_one(User, bob.id).active = False
    assert signed(world, machine, "GET", "/me").status_code == 401


def test_ed25519_at_the_api(world: World, bob: Trader) -> None:
    private = Ed25519PrivateKey.generate()
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    made = make(world, bob, algorithm="ed25519", public_key=public)
    assert made.secret is None
    assert signed(world, Machine(made.key, private), "GET", "/me").json["id"] == bob.id
