"""Orders of machines through the gateway: single ones, batches, cancels."""

import base64
import json
import time
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from portal.orders.models import Order
from tests.factories.machines import Machine
from tests.integration.gateway.world import ORDERS, Answer, GatewayWorld, new_name

pytestmark = pytest.mark.postgres


def stored(world: GatewayWorld, order_id: int) -> Order:
    with world.database.reader() as session:
        return session.scalars(select(Order).where(Order.id == order_id)).one()


def test_an_order_is_placed_and_matched(world: GatewayWorld) -> None:
    sell = world.order(world.alice, side="sell", price="61000", client_id=new_name())
    placed = world.post(world.seller, ORDERS, sell)
    assert placed.status == 201, placed
    assert placed.body["status"] == "open"
    assert placed.body["client_id"] == sell["client_id"]
    buy = world.order(world.bob, price="61000", client_id=new_name())
    taken = world.post(world.buyer, ORDERS, buy)
    assert taken.status == 201
    assert taken.body["status"] == "filled"
    assert len(taken.body["trades"]) == 1
    order = stored(world, placed.body["order_id"])
    assert (order.owner_id, order.status) == (world.alice.id, "filled")


def test_a_batch_has_an_answer_for_each_order_in_order(world: GatewayWorld) -> None:
    bodies = [
        world.order(world.bob, price=f"{50_000 + n}", client_id=f"{new_name()[:20]}-{n}")
        for n in range(100)
    ]
    bodies[3]["price"] = "-1"
    bodies[50] = {"market": "BTC-EUR", "client_id": "half"}
    bodies[70] = "no order"  # type: ignore[call-overload]
    del bodies[80]["client_id"]
    answer = world.post(world.buyer, f"{ORDERS}/batch", {"orders": bodies})
    assert answer.status == 200, answer
    results = answer.body["results"]
    assert len(results) == 100
    refused = {
        at: result["error"]["field"] for at, result in enumerate(results) if "error" in result
    }
    assert refused == {3: "price", 50: "side", 70: "body"}
    for at, result in enumerate(results):
        if at not in refused:
            assert result["order"]["client_id"] == bodies[at].get("client_id")
    prices = [stored(world, results[at]["order"]["order_id"]).price_ticks for at in (0, 99)]
    assert prices == [5_000_000, 5_009_900]


def test_a_repeated_batch_is_the_same_batch(world: GatewayWorld) -> None:
    orders = {"orders": [world.order(world.bob, price="50000") for _ in range(5)]}
    name = new_name()
    first, second = (world.post(world.buyer, f"{ORDERS}/batch", orders, key=name) for _ in "ab")
    assert first.body == second.body
    assert len({result["order"]["order_id"] for result in first.body["results"]}) == 5


def test_every_order_of_a_batch_is_named(world: GatewayWorld) -> None:
    body = {"orders": [world.order(world.bob), world.order(world.bob, client_id=new_name())]}
    raw = json.dumps(body).encode()
    path = f"{ORDERS}/batch"
    answer = world.send("POST", path, raw, world.buyer.headers("POST", path, raw))
    assert answer.body["results"][0]["error"]["field"] == "client_id"
    assert answer.body["results"][1]["order"]["status"] == "open"


@pytest.mark.parametrize(
    ("path", "content", "field"),
    [
        ("batch", {"orders": []}, "orders"),
        ("batch", {"orders": [{}] * 101}, "orders"),
        ("batch", {"orders": [], "more": 1}, "orders"),
        ("batch", {}, "orders"),
        ("cancel-batch", {"order_ids": []}, "order_ids"),
        ("cancel-batch", {"order_ids": [1] * 101}, "order_ids"),
        ("cancel-batch", {"order_ids": ["1"]}, "order_ids.0"),
        ("cancel-batch", {"order_ids": [0]}, "order_ids.0"),
        ("cancel-batch", {"order_ids": [2**63]}, "order_ids.0"),
        ("cancel-batch", {"order_ids": [1.5]}, "order_ids.0"),
    ],
)
def test_a_wrong_batch_is_refused_whole(
    world: GatewayWorld, path: str, content: dict[str, object], field: str
) -> None:
    answer = world.post(world.buyer, f"{ORDERS}/{path}", content)
    assert (answer.status, answer.error["field"]) == (422, field)


def test_a_batch_may_be_larger_than_an_order_but_not_too_large(world: GatewayWorld) -> None:
    body = {"orders": [{"market": "x" * 300_000}]}
    answer = world.post(world.buyer, f"{ORDERS}/batch", body)
    assert answer.status == 200
    assert "error" in answer.body["results"][0]
    answer = world.post(world.buyer, f"{ORDERS}/batch", {"orders": ["x" * 600_000]})
    assert answer.status == 413


def test_orders_are_cancelled_in_batches(world: GatewayWorld) -> None:
    orders = [world.order(world.bob, price="40000", client_id=new_name()) for _ in range(3)]
    placed = world.post(world.buyer, f"{ORDERS}/batch", {"orders": orders}).body["results"]
    mine = [result["order"]["order_id"] for result in placed]
    theirs = world.post(
        world.seller, ORDERS, world.order(world.alice, price="40000", client_id=new_name())
    ).body["order_id"]
    name, ids = new_name(), {"order_ids": [*mine, theirs, 10**15]}
    answer = world.post(world.buyer, f"{ORDERS}/cancel-batch", ids, key=name)
    results = answer.body["results"]
    assert [result["order"]["status"] for result in results[:3]] == ["cancelled"] * 3
    assert [result["error"]["message"] for result in results[3:]] == [
        f"Order {order_id} is not open." for order_id in (theirs, 10**15)
    ]
    assert stored(world, theirs).status == "open"
    assert [stored(world, order_id).status for order_id in mine] == ["cancelled"] * 3
    assert world.post(world.buyer, f"{ORDERS}/cancel-batch", ids, key=name).body == answer.body


def test_an_order_needs_a_name(world: GatewayWorld) -> None:
    raw = json.dumps(world.order(world.bob)).encode()
    answer = world.send("POST", ORDERS, raw, world.buyer.headers("POST", ORDERS, raw))
    assert (answer.status, answer.error["field"]) == (422, "Idempotency-Key")


def test_ed25519_signs_too(world: GatewayWorld) -> None:
    private = Ed25519PrivateKey.generate()
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    made = world.machine(world.bob, algorithm="ed25519", public_key=public)
    assert made.secret is None
    machine = Machine(made.key, private)
    assert world.post(machine, ORDERS, world.order(world.bob, price="50000")).status == 201
    forged = Machine(made.key, Ed25519PrivateKey.generate())
    assert world.post(forged, ORDERS, world.order(world.bob)).status == 401


def test_a_key_has_so_many_open_orders_and_no_more(world: GatewayWorld) -> None:
    machine = world.machine(world.bob, max_open_orders=2)
    statuses = [
        world.post(machine, ORDERS, world.order(world.bob, price="45000")).status for _ in range(3)
    ]
    assert statuses == [201, 201, 409]


@pytest.mark.parametrize(
    "changes",
    [
        {"price_kind": "floating", "price": None, "margin_bps": -500},
        {"tif": "IOC", "price": "30000"},
        {"tif": "FOK", "price": "30000"},
        {"tif": "GTD", "price": "30000", "expires_at": "2027-01-01T00:00:00Z"},
        {"price": "30000", "post_only": True, "private": True},
        {"price": "30000", "hours": {"zone": "Europe/Berlin", "spans": [
            {"days": ["mon"], "start": "09:00", "end": "17:00"}]}},
        {"order_type": "market", "price": None, "quantity": "0.001"},
    ],
)  # fmt: skip
def test_every_kind_of_order_is_taken(world: GatewayWorld, changes: dict[str, object]) -> None:
    world.post(world.seller, ORDERS, world.order(world.alice, side="sell", price="61500"))
    answer = world.post(world.buyer, ORDERS, world.order(world.bob, **changes))
    assert answer.status == 201, answer


def test_one_offer_can_be_taken_by_its_number(world: GatewayWorld) -> None:
    sell = world.order(world.alice, side="sell", price="60500")
    offer = world.post(world.seller, ORDERS, sell).body["order_id"]
    body = world.order(world.bob, price="60500", take_order=offer)
    taken = world.post(world.buyer, ORDERS, body)
    assert (taken.status, len(taken.body["trades"])) == (201, 1)


def test_a_sell_on_chain_needs_the_wallets_signature(world: GatewayWorld) -> None:
    world.api.fund(world.alice, "USDT", 1_000_000_000)
    body = world.order(world.alice, market="USDT-EUR", side="sell", price="0.9300", quantity="100")
    refused = world.post(world.seller, ORDERS, body)
    assert (refused.status, refused.error["field"]) == (422, "authority")
    terms = {name: body[name] for name in body if name != "payment_accounts"}
    data = world.alice.post("/orders/quote", terms).json["authority"]
    message = {name: str(value) for name, value in data["message"].items()}
    signed = {"message": message, "signature": world.alice.sign(data)}
    placed = world.post(world.seller, ORDERS, {**body, "authority": signed})
    assert placed.status == 201, placed
    assert stored(world, placed.body["order_id"]).authority is not None
    again = world.post(world.seller, ORDERS, {**body, "authority": signed})
    assert (again.status, again.error["field"]) == (409, "authority")


def test_a_switched_off_gateway_and_a_removed_account_count_at_once(world: GatewayWorld) -> None:
    dora = world.outfit("Dora", "IT60X0542811101000000123456")
    machine = world.machine(dora)
    assert world.post(machine, ORDERS, world.order(dora, price="30000", tif="IOC")).status == 201
    assert dora.delete(f"/me/payment-accounts/{dora.payment_account}").status_code == 204
    refusal = eventually(
        lambda: world.post(machine, ORDERS, world.order(dora, price="30000", tif="IOC")), 422
    )
    assert refusal.error["field"] == "payment_accounts.sepa"
    with world.database.transaction() as session:
        world.api.plugins.set_enabled(session, "sepa", False, actor="staff:1")
    try:
        refusal = eventually(lambda: world.post(world.buyer, ORDERS, world.order(world.bob)), 409)
        assert refusal.error["message"] == "sepa is switched off."
    finally:
        with world.database.transaction() as session:
            world.api.plugins.set_enabled(session, "sepa", True, actor="staff:1")
    eventually(lambda: world.post(world.buyer, ORDERS, world.order(world.bob, price="50000")), 201)


def eventually(ask: Callable[[], Answer], status: int) -> Answer:
    """PostgreSQL tells the gateway of a change; its memory alone would take a minute."""
    deadline = time.monotonic() + 3
    while (answer := ask()).status != status:
        assert time.monotonic() < deadline, answer
    return answer
