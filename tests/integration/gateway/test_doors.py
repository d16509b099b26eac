"""Whatever is wrong with a request, the API and the gateway say the same, and nothing happens."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.markets.models import Market
from portal.markets.service import save_market
from portal.orders.models import Order
from portal.users.models import ApiKey
from tests.factories.machines import Machine
from tests.integration.gateway.world import ORDERS, Answer, GatewayWorld, new_name

pytestmark = pytest.mark.postgres

DOORS = ("api", "gateway")


def orders(world: GatewayWorld) -> int:
    with world.database.reader() as session:
        return session.scalar(select(func.count()).select_from(Order)) or 0


def both(
    world: GatewayWorld, raw: bytes, machine: Machine | None = None, **headers: str
) -> dict[str, Any]:
    """The refusal that both doors give to the same body; nothing is placed."""
    before, machine = orders(world), machine or world.buyer
    answers = {}
    for door in DOORS:
        signed = machine.headers("POST", ORDERS, raw, idempotency_key=new_name())
        answers[door] = world.through(door, "POST", ORDERS, raw, {**signed, **headers})
    one, other = answers["api"], answers["gateway"]
    assert (one.status, one.error) == (other.status, other.error)
    assert orders(world) == before
    return {"status": one.status, **one.error}


BAD = {
    "unknown field": ({"colour": "red"}, "colour"),
    "market order with a price": ({"order_type": "market"}, "price"),
    "price NaN in text": ({"price": "NaN"}, "price"),
    "price infinite": ({"price": "Infinity"}, "price"),
    "price 10^30": ({"price": "1" + "0" * 30}, "price"),
    "price in exponents": ({"price": "1e3"}, "price"),
    "price as number": ({"price": 60000}, "price"),
    "price negative": ({"price": "-60000"}, "price"),
    "price zero": ({"price": "0"}, "price"),
    "price off the tick": ({"price": "60000.001"}, "price"),
    "price beyond 64 bits": ({"price": "92233720368547758.08"}, "price"),
    "price missing": ({"price": None}, "price"),
    "money beyond 64 bits": ({"price": "92233720368547758.07", "quantity": "2"}, "price"),
    "quantity off the lot": ({"quantity": "0.01000001"}, "quantity"),
    "quantity with too many places": ({"quantity": "0.010000001"}, "quantity"),
    "quantity below the minimum": ({"quantity": "0.00000000"}, "quantity"),
    "quantity beyond 64 bits": ({"quantity": "92233720368.54775808"}, "quantity"),
    "quantity negative": ({"quantity": "-1"}, "quantity"),
    "quantity missing": ({"quantity": None}, "quantity"),
    "smallest above quantity": ({"min_trade": "0.02"}, "min_trade"),
    "largest below smallest": ({"min_trade": "0.01", "max_trade": "0.009"}, "max_trade"),
    "unknown market": ({"market": "DOGE-EUR"}, "market"),
    "market with NUL": ({"market": "BTC\x00EUR"}, "market"),
    "unknown side": ({"side": "both"}, "side"),
    "no methods": ({"methods": []}, "methods"),
    "unknown method": ({"methods": ["pigeon"], "payment_accounts": {"pigeon": 1}}, "methods"),
    "no payment account": ({"payment_accounts": {}}, "payment_accounts.sepa"),
    "another's payment account": ({"payment_accounts": {"sepa": 10**9}}, "payment_accounts.sepa"),
    "account of no method": ({"payment_accounts": {"pix": 1}}, "payment_accounts"),
    "account beyond 64 bits": ({"payment_accounts": {"sepa": 2**63}}, "payment_accounts"),
    "margin too far": ({"price_kind": "floating", "price": None, "margin_bps": 5001}, "margin_bps"),
    "GTD without an end": ({"tif": "GTD"}, "expires_at"),
    "an end in the past": ({"tif": "GTD", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    "name with a space": ({"client_id": "a b"}, "client_id"),
    "name that is too long": ({"client_id": "x" * 65}, "client_id"),
    "an authority nobody needs": (
        {"authority": {"message": {}, "signature": "0x" + "0" * 130}}, "authority"
    ),
    "an offer that is not there": ({"take_order": 10**15}, "take_order"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_order_is_refused_alike(world: GatewayWorld, name: str) -> None:
    changes, field = BAD[name]
    body = world.order(world.bob, **changes)
    refusal = both(world, json.dumps(body).encode())
    assert refusal["status"] in (404, 409, 422)
    assert refusal["field"].startswith(field), refusal


RAW = {
    "no JSON": (b"{", 422),
    "nothing": (b" ", 422),
    "NaN": (b'{"price": NaN}', 422),
    "a list": (b"[]", 422),
    "text": (b'"x"', 422),
    "no UTF-8": (b'{"market": "\xff"}', 422),
    "too deep": (b"[" * 100 + b"]" * 100, 422),
    "two of a field": (b'{"market": "A", "market": "B"}', 422),
    "too large": (b'{"market": "' + b"x" * 70_000 + b'"}', 413),
}


@pytest.mark.parametrize("name", RAW)
def test_a_body_that_is_no_order_is_refused_alike(world: GatewayWorld, name: str) -> None:
    raw, status = RAW[name]
    assert both(world, raw)["status"] == status


@pytest.mark.parametrize("mimetype", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_read(world: GatewayWorld, mimetype: str) -> None:
    raw = json.dumps(world.order(world.bob)).encode()
    refusal = both(world, raw, **{"Content-Type": mimetype})
    assert refusal["field"] == "Content-Type"


def test_a_halted_market_takes_nothing(world: GatewayWorld) -> None:
    def set_status(status: str) -> None:
        with world.database.reader() as session:
            market = session.get_one(Market, "BTC-EUR")
            names = [column.key for column in Market.__table__.columns]
            values = {name: getattr(market, name) for name in names}
        version = values.pop("version")
        values.pop("shard")
        for name in ("lot", "min_trade", "max_trade"):
            values[name] = f"{values[name] / 10**8:.8f}"
        save_market(
            world.database, world.api.engine, world.settings, "system",
            {**values, "status": status}, version=version,
        )  # fmt: skip

    set_status("halted")
    try:
        refusal = both(world, json.dumps(world.order(world.bob)).encode())
        assert refusal["status"] == 409
        assert "halted" in refusal["message"]
    finally:
        set_status("open")


def test_compliance_says_no_alike_and_at_once(world: GatewayWorld) -> None:
    carol = world.outfit("Carol", "ES9121000418450200051332")
    machine = world.machine(carol)
    raw = json.dumps(world.order(carol)).encode()
    assert world.post(machine, ORDERS, world.order(carol)).status == 201
    world.change_person(carol, kyc_tier=0)
    refusal = both(world, raw, machine)
    assert (refusal["status"], refusal["message"]) == (403, "Identity not checked yet.")
    world.change_person(carol, kyc_tier=2)
    # The database tells the gateway, and may take a moment longer than the next request.
    deadline = time.monotonic() + 1
    while (answer := world.post(machine, ORDERS, world.order(carol))).status == 403:
        assert time.monotonic() < deadline
    assert answer.status == 201


def test_a_used_name_is_not_for_another_order(world: GatewayWorld) -> None:
    name = new_name()
    first = world.order(world.bob, client_id=name, price="50000")
    assert world.post(world.buyer, ORDERS, first).status == 201
    other = json.dumps({**first, "price": "50001"}).encode()
    assert both(world, other)["status"] == 409


def sent(
    door: str, world: GatewayWorld, machine: Machine, **options: Any
) -> tuple[Answer, Callable[[], Answer]]:
    """A signed order through a door, and the very same request again."""
    raw = json.dumps(world.order(world.bob, price="50000")).encode()
    headers = machine.headers("POST", ORDERS, raw, idempotency_key=new_name(), **options)

    def again() -> Answer:
        return world.through(door, "POST", ORDERS, raw, headers)

    return again(), again


@pytest.mark.parametrize("door", DOORS)
def test_the_same_signature_is_taken_once(world: GatewayWorld, door: str) -> None:
    first, again = sent(door, world, world.buyer)
    assert first.status == 201, first
    second = again()
    assert (second.status, second.error["field"]) == (401, "X-Portal-Signature")
    assert "sent before" in second.error["message"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("off", [-6_000, 6_000])
def test_a_time_that_is_not_now_is_refused(world: GatewayWorld, door: str, off: int) -> None:
    answer, _ = sent(door, world, world.buyer, at_ms=int(time.time() * 1000) + off)
    assert (answer.status, answer.error["field"]) == (401, "X-Portal-Time")


@pytest.mark.parametrize("door", DOORS)
def test_a_wrong_secret_is_refused(world: GatewayWorld, door: str) -> None:
    answer, _ = sent(door, world, Machine(world.buyer.key, "guessed"))
    assert (answer.status, answer.error["field"]) == (401, "X-Portal-Signature")


@pytest.mark.parametrize("door", DOORS)
def test_a_key_that_never_was_is_refused(world: GatewayWorld, door: str) -> None:
    answer, _ = sent(door, world, Machine("0" * 16, "guessed"))
    assert (answer.status, answer.error["field"]) == (401, "X-Portal-Key")


@pytest.mark.parametrize("door", DOORS)
def test_what_is_signed_can_not_be_changed(world: GatewayWorld, door: str) -> None:
    raw = json.dumps(world.order(world.bob)).encode()
    name = new_name()
    headers = world.buyer.headers("POST", ORDERS, raw, idempotency_key=name)
    for changed in (
        {"Idempotency-Key": new_name()},
        {"X-Portal-Nonce": "another-nonce"},
        {"X-Portal-Time": str(int(headers["X-Portal-Time"]) + 1)},
        {"X-Portal-Key": world.seller.key},
    ):
        answer = world.through(door, "POST", ORDERS, raw, {**headers, **changed})
        assert answer.status == 401, changed
    answer = world.through(door, "POST", ORDERS, raw.replace(b"0.01", b"0.02"), headers)
    assert answer.status == 401
    assert world.through(door, "POST", ORDERS + "?a=1", raw, headers).status == 401
    assert world.through(door, "POST", ORDERS, raw, headers).status == 201


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"scopes": ["read"]}, 403),
        ({"networks": ["203.0.113.0/24"]}, 403),
        ({"networks": ["127.0.0.0/8"]}, 201),
    ],
)
def test_a_key_does_what_its_owner_wished(
    world: GatewayWorld, door: str, wish: dict[str, Any], status: int
) -> None:
    answer, _ = sent(door, world, world.machine(world.bob, **wish))
    assert answer.status == status, answer
    world.bob.delete(f"/me/api-keys/{world.keys_of(world.bob)[-1]}")


@pytest.mark.parametrize("door", DOORS)
def test_a_revoked_key_is_refused_at_once(world: GatewayWorld, door: str) -> None:
    machine = world.machine(world.bob)
    assert sent(door, world, machine)[0].status == 201
    assert world.bob.delete(f"/me/api-keys/{machine.key}").status_code == 204
    with world.database.reader() as session:
        assert session.get_one(ApiKey, machine.key).revoked_at is not None
    # The database tells the gateway; that takes a moment, not the seconds of its memory.
    deadline = time.monotonic() + 3
    while (answer := sent(door, world, machine)[0]).status == 201:
        assert time.monotonic() < deadline
    assert (answer.status, answer.error["field"]) == (401, "X-Portal-Key")


def test_a_retry_through_the_other_door_is_the_same_order(world: GatewayWorld) -> None:
    body = world.order(world.bob, price="50000", client_id=new_name())
    raw = json.dumps(body).encode()
    numbers = set()
    for door in (*DOORS, *DOORS):
        headers = world.buyer.headers("POST", ORDERS, raw, idempotency_key=new_name())
        answer = world.through(door, "POST", ORDERS, raw, headers)
        assert answer.status == 201, answer
        numbers.add(answer.body.get("order_id") or answer.body["order"]["id"])
    assert len(numbers) == 1


def test_other_addresses_and_verbs(world: GatewayWorld) -> None:
    for method, path, status in (
        ("GET", "/", 404),
        ("GET", "/api/v1/markets", 404),
        ("POST", "/api/v1/orders/1/cancel", 404),
        ("GET", ORDERS, 405),
        ("DELETE", ORDERS, 405),
    ):
        answer = world.send(method, path, b"", world.buyer.headers(method, path))
        assert (answer.status, set(answer.body)) == (status, {"error"})
    assert world.send("POST", ORDERS, b"{}", {}).status == 401
