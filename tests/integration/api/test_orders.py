"""Placing, listing and cancelling orders over HTTP."""

import pytest

from portal.core.settings import Settings
from tests.integration.api.world import Trader, World, order_body

pytestmark = pytest.mark.postgres


def test_an_order_shows_in_book_offers_and_my_orders(world: World, alice: Trader) -> None:
    placed = alice.post("/orders", order_body(alice, side="sell", price="61000", min_trade="0.001"))
    assert placed.status_code == 201, placed.text
    order = placed.json["order"]
    assert (order["status"], order["price"], order["remaining"]) == (
        "open",
        "61000.00",
        "0.01000000",
    )
    book = world.client().get("/api/v1/markets/BTC-EUR/book").json
    assert book["asks"] == [{"price": "61000.00", "quantity": "0.01000000", "orders": 1}]
    offers = alice.get("/markets/BTC-EUR/offers", side="sell").json["offers"]
    assert [(offer["order_id"], offer["own"]) for offer in offers] == [(order["id"], True)]
    assert offers[0]["maker"]["completion_rate"] is None
    assert alice.get("/orders").json["orders"] == [order]
    assert alice.get("/markets/BTC-EUR").json["best_ask"] == "61000.00"
    balances = {row["asset"]: row for row in alice.get("/me/balances").json["balances"]}
    assert balances["BTC"]["held"] == order["held"]


def test_a_cancelled_order_gives_back_what_it_held(world: World, alice: Trader) -> None:
    order = alice.post("/orders", order_body(alice, side="sell", price="61000")).json["order"]
    for _ in range(2):
        cancelled = alice.post(f"/orders/{order['id']}/cancel")
        assert cancelled.status_code == 200
        assert (cancelled.json["status"], cancelled.json["held"]) == ("cancelled", "0.00000000")


def test_the_same_key_gives_the_same_answer_once(world: World, alice: Trader) -> None:
    body = order_body(alice, side="sell", price="61000")
    first = alice.post("/orders", body, key="same-key-1")
    again = alice.post("/orders", body, key="same-key-1")
    assert (again.status_code, again.json) == (201, first.json)
    assert len(alice.get("/orders").json["orders"]) == 1
    other = alice.post("/orders", body | {"price": "62000"}, key="same-key-1")
    assert other.status_code == 409
    assert other.json["error"]["field"] == "Idempotency-Key"


def test_a_sell_order_on_chain_needs_the_wallets_signature(world: World, alice: Trader) -> None:
    body = order_body(alice, market="USDT-EUR", side="sell", price="0.95", quantity="100")
    unsigned = alice.post("/orders", body)
    assert (unsigned.status_code, unsigned.json["error"]["field"]) == (422, "authority")
    wanted = {name: body[name] for name in body if name != "payment_accounts"}
    quote = alice.post("/orders/quote", wanted)
    assert quote.status_code == 200, quote.text
    assert quote.json["fiat_total"] == "95.00"
    data = quote.json["authority"]
    signed = {"message": data["message"], "signature": alice.sign(data)}
    placed = alice.post("/orders", body | {"authority": signed})
    assert placed.status_code == 201, placed.text
    twice = alice.post("/orders", body | {"authority": signed})
    assert (twice.status_code, twice.json["error"]["field"]) == (409, "authority")


def test_someone_elses_signature_is_refused(world: World, alice: Trader, bob: Trader) -> None:
    body = order_body(alice, market="USDT-EUR", side="sell", price="0.95", quantity="100")
    quote = alice.post("/orders/quote", {k: body[k] for k in body if k != "payment_accounts"}).json
    data, before = quote["authority"], world.row_counts()
    signed = {"message": data["message"], "signature": bob.sign(data)}
    refused = alice.post("/orders", body | {"authority": signed})
    assert (refused.status_code, refused.json["error"]["field"]) == (422, "authority.signature")
    changed = dict(data["message"], maxTotal="1")
    signed = {"message": changed, "signature": alice.sign(data | {"message": changed})}
    refused = alice.post("/orders", body | {"authority": signed})
    assert refused.json["error"]["field"] == "authority.message.maxTotal"
    assert world.row_counts() == before


def test_more_coins_than_there_are_change_nothing(world: World, alice: Trader) -> None:
    body = order_body(alice, market="USDT-EUR", side="sell", price="0.95", quantity="20000")
    quote = alice.post("/orders/quote", {k: body[k] for k in body if k != "payment_accounts"}).json
    assert "USDT more" in quote["warnings"][0]
    before = world.row_counts()
    signed = {"message": quote["authority"]["message"], "signature": alice.sign(quote["authority"])}
    refused = alice.post("/orders", body | {"authority": signed})
    assert refused.status_code in (409, 422)
    assert refused.json["error"]["field"] == "quantity"
    assert world.row_counts() == before


def test_a_blocked_country_is_refused_with_the_reason(settings: Settings, world: World) -> None:
    person = world.outfit(world.trader("Kim", country="KP"))
    refused = person.post("/orders", order_body(person))
    assert refused.status_code == 403
    assert refused.json["error"]["message"]


def test_floating_orders_pause_without_an_index(world: World, alice: Trader, bob: Trader) -> None:
    body = order_body(alice, side="sell", price_kind="floating", price=None, margin_bps=100)
    order = alice.post("/orders", body).json["order"]
    assert order["effective_price"] == "60600.00"
    world.tick("BTC-EUR", None, "No fresh price.")
    offer = bob.get("/markets/BTC-EUR/offers", side="sell").json["offers"][0]
    assert (offer["paused"], offer["price"], offer["own"]) == ("No fresh price.", None, False)
    assert alice.get(f"/orders/{order['id']}").json["paused"] == "No fresh price."


def test_other_peoples_orders_do_not_exist(alice: Trader, bob: Trader) -> None:
    order = alice.post("/orders", order_body(alice)).json["order"]
    for answer in (
        bob.get(f"/orders/{order['id']}"),
        bob.post(f"/orders/{order['id']}/cancel"),
    ):
        assert (answer.status_code, answer.json["error"]["field"]) == (404, "order_id")
