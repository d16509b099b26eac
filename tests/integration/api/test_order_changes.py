"""What becomes of orders that stand, over HTTP, with the real engine behind it."""

from typing import Any

import pytest

from tests.integration.api.orders import offered, quotes, seen, sold, take
from tests.integration.api.test_bad_input import refused
from tests.integration.api.world import IBANS, Trader, World, order_body

pytestmark = pytest.mark.postgres


def test_an_order_is_amended(world: World, alice: Trader, bob: Trader) -> None:
    order = sold(alice, min_trade="0.001")
    at = f"/orders/{order['id']}"
    less = alice.patch(at, {"remaining": "0.005"})
    assert less.status_code == 200, less.text
    assert (less.json["order"]["remaining"], less.json["trades"]) == ("0.00500000", [])
    assert float(less.json["order"]["held"]) < float(order["held"])
    dearer = alice.patch(at, {"price": "62000", "min_trade": "0.002", "max_trade": "0.004"})
    changed = dearer.json["order"]
    assert (changed["price"], changed["min_trade"], changed["max_trade"]) == (
        "62000.00",
        "0.00200000",
        "0.00400000",
    )
    bid = bob.post("/orders", order_body(bob, price="60000", quantity="0.004")).json["order"]
    crossing = alice.patch(at, {"price": "60000"})
    assert len(crossing.json["trades"]) == 1, crossing.text
    assert seen(bob, bid["id"])["status"] == "filled"
    refused(bob.patch(at, {"price": "1000"}), "order_id", 404)


def test_an_amended_floating_order(world: World, alice: Trader) -> None:
    order = sold(alice, price=None, price_kind="floating", margin_bps=100)
    changed = alice.patch(f"/orders/{order['id']}", {"margin_bps": 200, "ceiling": "61000"})
    assert changed.status_code == 200, changed.text
    assert changed.json["order"]["effective_price"] == "61000.00"
    refused(alice.patch(f"/orders/{order['id']}", {"price": "61000"}), "price", 422)


def test_a_retried_amend_changes_once(world: World, alice: Trader, bob: Trader) -> None:
    order = sold(alice, min_trade="0.001")
    at, body = f"/orders/{order['id']}", {"remaining": "0.009"}
    first = alice.patch(at, body, key="amend-once")
    assert take(bob, order["id"], quantity="0.004").status_code == 201
    again = alice.patch(at, body, key="amend-once")
    assert again.json == first.json
    assert seen(alice, order["id"])["remaining"] == "0.00500000"
    refused(alice.patch(at, {"remaining": "0.008"}, key="amend-once"), "Idempotency-Key", 409)


def test_an_amend_beyond_the_signed_authority_says_what_to_sign(
    world: World, alice: Trader
) -> None:
    body = order_body(alice, market="USDT-EUR", side="sell", price="0.95", quantity="100")
    wanted = {name: body[name] for name in body if name != "payment_accounts"}
    data = alice.post("/orders/quote", wanted).json["authority"]
    signed = {"message": data["message"], "signature": alice.sign(data)}
    order = alice.post("/orders", body | {"authority": signed}).json["order"]
    at = f"/orders/{order['id']}"
    more = alice.patch(at, {"remaining": "101"})
    refused(more, "remaining", 409)
    error = more.json["error"]
    assert "101.000000 USDT including fees; this change needs 102.010000 USDT" in error["message"]
    assert "/orders/quote" in error["hint"]
    assert alice.patch(at, {"remaining": "60"}).status_code == 200
    # Less was never traded: the signature still covers the hundred that it was made for.
    assert alice.patch(at, {"price": "0.96"}).status_code == 200


def test_an_order_is_paused_and_put_back(world: World, alice: Trader, bob: Trader) -> None:
    order = sold(alice)
    for _ in range(2):
        paused = alice.post(f"/orders/{order['id']}/pause")
        assert paused.status_code == 200, paused.text
        assert (paused.json["paused_by"], paused.json["held"]) == ("owner", order["held"])
    assert offered(bob) == []
    refused(take(bob, order["id"]), "take_order", 409)
    for _ in range(2):
        back = alice.post(f"/orders/{order['id']}/resume")
        assert back.json["paused_by"] is None
    assert offered(bob) == [order["id"]]
    refused(bob.post(f"/orders/{order['id']}/pause"), "order_id", 404)
    alice.post(f"/orders/{order['id']}/cancel")
    refused(alice.post(f"/orders/{order['id']}/pause"), "order_id", 409)


def test_a_holiday_takes_everything_out_of_the_book(
    world: World, alice: Trader, bob: Trader
) -> None:
    order = sold(alice)
    mine = [order["id"]]
    assert alice.post("/me/away", {"away": True}).json == {"away": True, "orders": mine}
    assert offered(bob) == []
    assert seen(alice, order["id"])["paused_by"] == "away"
    assert alice.post("/me/away", {"away": True}).json == {"away": True, "orders": []}
    assert alice.post("/me/away", {"away": False}).json == {"away": False, "orders": mine}
    assert offered(bob) == [order["id"]]


NOTHING: dict[str, list[int]] = {"cancelled": [], "kept": []}


def test_all_orders_are_cancelled_by_market_and_side(
    world: World, alice: Trader, bob: Trader
) -> None:
    sells = [sold(alice)["id"], sold(alice)["id"]]
    bid = alice.post("/orders", order_body(alice, price="50000")).json["order"]["id"]
    theirs = bob.post("/orders", order_body(bob, price="50000")).json["order"]["id"]
    assert alice.delete("/orders", market="USDT-EUR").json == NOTHING
    assert sorted(alice.delete("/orders", side="sell").json["cancelled"]) == sells
    assert alice.delete("/orders").json == {"cancelled": [bid], "kept": []}
    assert alice.delete("/orders").json == NOTHING
    assert seen(bob, theirs)["status"] == "open"
    refused(alice.delete("/orders", market="NO-SUCH"), "market", 404)
    refused(alice.delete("/orders", side="both"), "side", 422)
    refused(alice.delete("/orders", owner=bob.id), "owner", 422)


def test_a_mass_quote_replaces_the_one_before(world: World, alice: Trader, bob: Trader) -> None:
    other = sold(alice)["id"]
    first = alice.post("/orders/mass-quote", quotes(alice, {}, {"price": "62000"}))
    assert first.status_code == 200, first.text
    ids = [quote["order"]["id"] for quote in first.json["quotes"]]
    assert sorted(offered(bob)) == sorted([other, *ids])
    assert {seen(alice, one)["quote_set"] for one in ids} == {"main"}
    second = alice.post(
        "/orders/mass-quote",
        quotes(alice, {"price": "63000"}, {"quantity": "2"}, {"price": "64000"}),
    )
    kept, poor, last = second.json["quotes"]
    assert (poor["order"], poor["error"]["field"]) == (None, "quantity")
    assert kept["error"] is None
    assert sorted(offered(bob)) == sorted([other, kept["order"]["id"], last["order"]["id"]])
    assert {seen(alice, one)["status"] for one in ids} == {"cancelled"}
    emptied = alice.post("/orders/mass-quote", quotes(alice))
    assert emptied.json == {"quotes": []}
    assert offered(bob) == [other]


def test_a_mass_quote_that_can_not_be_right_changes_nothing(world: World, alice: Trader) -> None:
    alice.post("/orders/mass-quote", quotes(alice, {}))
    before, mine = world.row_counts(), alice.get("/orders").json
    for bad, field in (
        ({"quantity": "NaN"}, "quotes.1.quantity"),
        ({"quantity": "0.000000001"}, "quotes.1.quantity"),
        ({"price": "-1"}, "quotes.1.price"),
        ({"price": "1" + "0" * 30}, "quotes.1.price"),
        ({"payment_accounts": {"sepa": 10**12}}, "quotes.1.payment_accounts.sepa"),
        ({"methods": ["paypal"]}, "quotes.1.methods"),
        ({"surprise": 1}, "quotes.1.surprise"),
        ({"tif": "GTD"}, "quotes.1.expires_at"),
    ):
        answer = alice.post("/orders/mass-quote", quotes(alice, {}, bad))
        assert answer.status_code == 422, answer.text
        assert answer.json["error"]["field"] == field
    too_many = alice.post("/orders/mass-quote", quotes(alice, *[{}] * 51))
    refused(too_many, "quotes", 422)
    refused(alice.post("/orders/mass-quote", quotes(alice, {}, market="NO-SUCH")), "market", 404)
    assert (world.row_counts(), alice.get("/orders").json) == (before, mine)


BAD_AMENDS: list[tuple[dict[str, Any], str]] = [
    ({}, "body"),
    ({"price": "NaN"}, "price"),
    ({"price": "1" + "0" * 30}, "price"),
    ({"price": "-61000"}, "price"),
    ({"price": "0"}, "price"),
    ({"price": "61000.001"}, "price"),
    ({"price": 61_000}, "price"),
    ({"remaining": "0.000000001"}, "remaining"),
    ({"remaining": "0.000001"}, "remaining"),
    ({"remaining": "0"}, "remaining"),
    ({"remaining": "92233720368.54775807"}, "remaining"),
    ({"remaining": "0.00001"}, "remaining"),
    ({"min_trade": "0.00001"}, "min_trade"),
    ({"max_trade": "3"}, "max_trade"),
    ({"max_trade": "0.00009"}, "max_trade"),
    ({"margin_bps": 10}, "margin_bps"),
    ({"margin_bps": 10**30}, "margin_bps"),
    ({"floor": "1"}, "floor"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ({"expires_at": "later"}, "expires_at"),
    ({"status": "filled"}, "status"),
]


def test_bad_amends_are_named_and_change_nothing(
    world: World, alice: Trader, subtests: pytest.Subtests
) -> None:
    order = sold(alice)
    before = world.row_counts()
    for change, field in BAD_AMENDS:
        with subtests.test(change=change, field=field):
            answer = alice.patch(f"/orders/{order['id']}", change)
            refused(answer, field)
            assert answer.status_code in (409, 422)
    assert (seen(alice, order["id"]), world.row_counts()) == (order, before)
    refused(alice.patch("/orders/999999", {"price": "1"}), "order_id", 404)


def test_a_key_is_for_one_content(world: World, alice: Trader) -> None:
    body = quotes(alice, {})
    first = alice.post("/orders/mass-quote", body, key="quote-key-1")
    again = alice.post("/orders/mass-quote", body, key="quote-key-1")
    assert again.json == first.json
    other = alice.post("/orders/mass-quote", quotes(alice, {"price": "62000"}), key="quote-key-1")
    refused(other, "Idempotency-Key", 409)


def test_what_a_stranger_does_with_orders_is_refused(world: World, alice: Trader) -> None:
    order = sold(alice)
    carol = world.outfit(world.trader("Carol"), IBANS[2])
    for answer in (
        carol.patch(f"/orders/{order['id']}", {"price": "1"}),
        carol.post(f"/orders/{order['id']}/pause"),
        carol.post(f"/orders/{order['id']}/resume"),
        carol.post(f"/orders/{order['id']}/cancel"),
    ):
        refused(answer, "order_id", 404)
    client = world.client()
    for method, path in (
        ("PATCH", f"/orders/{order['id']}"),
        ("DELETE", "/orders"),
        ("POST", "/me/away"),
        ("POST", "/orders/mass-quote"),
    ):
        assert client.open(f"/api/v1{path}", method=method, json={}).status_code == 401
    assert seen(alice, order["id"]) == order
