"""What a market's terms do to orders, over HTTP, with the real engine behind it."""

import pytest

from portal.markets.service import save_market
from tests.integration.api.orders import quotes, seen, sell, sold, take
from tests.integration.api.test_bad_input import refused
from tests.integration.api.world import Trader, World, order_body

pytestmark = pytest.mark.postgres


def test_an_auction_collects_orders_and_opens_at_one_price(
    world: World, alice: Trader, bob: Trader
) -> None:
    world.change_market("BTC-EUR", status="auction")
    market = alice.get("/markets/BTC-EUR").json
    assert (market["status"], "auction" in market["notice"]) == ("auction", True)
    order = sold(alice, price="60000")
    assert order["paused"] == "The market is in an auction: orders trade when it opens."
    bid = bob.post("/orders", order_body(bob, price="61000")).json
    assert (bid["trades"], bid["order"]["status"]) == ([], "open")
    world.change_market("BTC-EUR", status="open")
    assert seen(alice, order["id"])["status"] == "filled"
    (trade_id,) = seen(bob, bid["order"]["id"])["trades"]
    assert 60_000 <= float(bob.get(f"/trades/{trade_id}").json["price"]) <= 61_000


def test_a_halted_market_takes_nothing(world: World, alice: Trader, bob: Trader) -> None:
    order = sold(alice)
    world.change_market("BTC-EUR", status="halted")
    assert "halted" in alice.get("/markets/BTC-EUR").json["notice"]
    before = world.row_counts()
    refused(sell(alice), "market", 409)
    refused(take(bob, order["id"]), "market", 409)
    mass = alice.post("/orders/mass-quote", quotes(alice, {}))
    refused(mass, "market", 409)
    assert world.row_counts() == before
    assert alice.post(f"/orders/{order['id']}/cancel").json["status"] == "cancelled"


def test_a_price_far_from_the_index_is_refused(world: World, alice: Trader) -> None:
    world.change_market("BTC-EUR", band_bps=1_000)
    body = order_body(alice, side="sell", price="66001")
    quote = alice.post("/orders/quote", {k: v for k, v in body.items() if k != "payment_accounts"})
    assert "more than 10% from the index" in quote.json["warnings"][0]
    refused(sell(alice, price="66001"), "price")
    assert sold(alice, price="66000")["status"] == "open"


def test_an_order_rests_before_it_goes(world: World, alice: Trader) -> None:
    world.change_market("BTC-EUR", min_rest_ms=60_000)
    order = sold(alice)
    at = f"/orders/{order['id']}"
    for answer in (alice.post(f"{at}/cancel"), alice.patch(at, {"price": "62000"})):
        refused(answer, "order_id", 409)
    assert alice.delete("/orders").json == {"cancelled": [], "kept": [order["id"]]}
    world.pass_time(61_000)
    assert alice.post(f"{at}/cancel").json["status"] == "cancelled"


def test_nobody_fills_a_book_alone(world: World, alice: Trader) -> None:
    world.change_market("BTC-EUR", max_open_orders=2)
    for _ in range(2):
        sold(alice)
    refused(sell(alice), "market", 409)


INSTANT = {
    "id": "ETH-BTC",
    "base": "ETH",
    "quote": "BTC",
    "price_places": 6,
    "lot": "0.001",
    "min_trade": "0.01",
    "max_trade": "100",
    "escrow": "ledger",
    "settlement": "instant",
    "methods": ["ledger"],
    "sources": [],
    "payment_seconds": 60,
    "release_seconds": 60,
    "fee_model": "maker_taker",
}


def test_coins_for_coins_settle_at_once(world: World, alice: Trader, bob: Trader) -> None:
    save_market(world.database, world.engine, world.settings, "system", INSTANT)
    world.fund(bob, "ETH", 10 * 10**9)
    terms = {
        "market": "ETH-BTC",
        "methods": ["ledger"],
        "payment_accounts": None,
        "price": "0.05",
        "quantity": "1",
    }
    offer = sold(bob, **terms)
    assert offer["status"] == "open"
    body = order_body(alice, **terms)
    quote = alice.post("/orders/quote", body).json
    assert (quote["fiat_total"], quote["reserve_asset"]) == ("0.05000000", "BTC")
    got = alice.post("/orders", body)
    assert got.status_code == 201, got.text
    assert got.json["order"]["status"] == "filled"

    def available(person: Trader, asset: str) -> str:
        rows = person.get("/me/balances").json["balances"]
        return str(next(row["available"] for row in rows if row["asset"] == asset))

    assert available(bob, "BTC") == "0.05000000"
    assert available(alice, "BTC") == "0.05000000"
    assert 0.97 < float(available(alice, "ETH")) <= 1
