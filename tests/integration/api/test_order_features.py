"""Every feature of an order over HTTP, with the real engine behind it."""

from datetime import timedelta
from typing import Any

import pytest

from portal.core.clock import from_ms, now_ms
from portal.orders.hours import DAYS
from tests.integration.api.orders import HOUR, later, offered, seen, sell, sold, take
from tests.integration.api.test_bad_input import refused
from tests.integration.api.world import Trader, World, order_body

pytestmark = pytest.mark.postgres


def test_all_or_nothing_takes_all_or_nothing(world: World, alice: Trader, bob: Trader) -> None:
    offers = [sold(alice)["id"], sold(alice)["id"]]
    missed = bob.post("/orders", order_body(bob, price="61000", quantity="0.03", tif="FOK"))
    assert missed.status_code == 201, missed.text
    assert (missed.json["order"]["status"], missed.json["trades"]) == ("cancelled", [])
    assert missed.json["order"]["reason"]
    assert offered(bob) == offers
    got = bob.post("/orders", order_body(bob, price="61000", quantity="0.02", tif="FOK"))
    assert got.status_code == 201, got.text
    assert (got.json["order"]["status"], len(got.json["trades"])) == ("filled", 2)


def test_what_is_left_at_once_goes(world: World, alice: Trader, bob: Trader) -> None:
    sold(alice)
    got = bob.post("/orders", order_body(bob, price="61000", quantity="0.03", tif="IOC")).json
    assert (got["order"]["status"], got["order"]["remaining"]) == ("cancelled", "0.02000000")
    assert len(got["trades"]) == 1


def test_an_order_ends_at_its_date(world: World, alice: Trader, bob: Trader) -> None:
    order = sold(alice, tif="GTD", expires_at=later(HOUR))
    assert order["expires_at"] is not None
    world.pass_time(HOUR - 60_000)
    assert offered(bob) == [order["id"]]
    world.pass_time(61_000)
    ended = seen(alice, order["id"])
    assert (ended["status"], ended["held"], ended["tif"]) == ("cancelled", "0.00000000", "GTD")
    assert ended["reason"]


def test_a_post_only_order_never_takes(world: World, alice: Trader, bob: Trader) -> None:
    order = sold(alice, post_only=True)
    assert order["post_only"] is True
    crossing = bob.post("/orders", order_body(bob, price="61000", post_only=True))
    refused(crossing, "post_only", 409)
    waiting = bob.post("/orders", order_body(bob, price="60999.99", post_only=True))
    assert waiting.json["order"]["status"] == "open"


def test_a_floating_price_stays_within_its_bounds(world: World, alice: Trader, bob: Trader) -> None:
    floating = {"price": None, "price_kind": "floating", "margin_bps": 100}
    order = sold(alice, **floating, floor="60500", ceiling="60700")
    assert (order["floor"], order["ceiling"]) == ("60500.00", "60700.00")
    for index, price in (
        (6_000_000, "60600.00"),
        (6_050_000, "60700.00"),
        (5_000_000, "60500.00"),
    ):
        world.tick("BTC-EUR", index)
        assert seen(alice, order["id"])["effective_price"] == price
        (offer,) = bob.get("/markets/BTC-EUR/offers", side="sell").json["offers"]
        assert offer["price"] == price
        asks = world.client().get("/api/v1/markets/BTC-EUR/book").json["asks"]
        assert asks == [{"price": price, "quantity": "0.01000000", "orders": 1}]
    got = bob.post("/orders", order_body(bob, price="60500"))
    trade = bob.get(f"/trades/{got.json['trades'][0]}").json
    assert trade["price"] == "60500.00"


CONDITIONS = [
    ({"min_kyc_tier": 3}, "identity tier 3"),
    ({"min_completed_trades": 1}, "1 completed trade"),
    ({"min_completion_rate": "0.9"}, "completion rate of at least 90%"),
    ({"min_account_days": 30}, "at least 30 days old"),
    ({"regions": ["FR", "NL"]}, "only with people from FR, NL"),
]


@pytest.mark.parametrize(("conditions", "sentence"), CONDITIONS)
def test_people_see_beforehand_which_condition_they_do_not_meet(
    world: World, alice: Trader, bob: Trader, conditions: dict[str, Any], sentence: str
) -> None:
    order = sold(alice, conditions=conditions)
    assert order["conditions"]["words"]
    (offer,) = bob.get("/markets/BTC-EUR/offers", side="sell").json["offers"]
    assert sentence in offer["unmet"]
    assert bob.get(f"/offers/{order['id']}").json == offer
    stranger = world.client().get(f"/api/v1/offers/{order['id']}").json
    assert stranger["unmet"] is None
    assert stranger["conditions"] == offer["conditions"]
    body = order_body(bob, take_order=order["id"], price="70000")
    body.pop("payment_accounts")
    quote = bob.post("/orders/quote", body).json
    assert offer["unmet"] in quote["warnings"]
    before = world.row_counts()
    answer = take(bob, order["id"])
    refused(answer, "take_order", 409)
    assert answer.json["error"]["message"] == offer["unmet"]
    assert world.row_counts() == before
    passed_by = bob.post("/orders", order_body(bob, price="61000", tif="IOC")).json
    assert passed_by["trades"] == []


def test_who_meets_the_conditions_trades(world: World, alice: Trader, bob: Trader) -> None:
    conditions = {"min_kyc_tier": 2, "regions": ["DE"], "min_completed_trades": 0}
    order = sold(alice, conditions=conditions)
    (offer,) = bob.get("/markets/BTC-EUR/offers", side="sell").json["offers"]
    assert offer["unmet"] is None
    taken = take(bob, order["id"])
    assert taken.status_code == 201, taken.text
    assert len(taken.json["trades"]) == 1


def test_a_first_trade_is_small(world: World, alice: Trader, bob: Trader) -> None:
    order = sold(alice, min_trade="0.001", conditions={"first_trade_max": "0.002"})
    offer = bob.get(f"/offers/{order['id']}").json
    assert (offer["unmet"], offer["max_trade"]) == (None, "0.00200000")
    too_much = take(bob, order["id"], quantity="0.003")
    refused(too_much, "quantity")
    assert len(take(bob, order["id"], quantity="0.002").json["trades"]) == 1
    large = sold(alice, min_trade="0.005", conditions={"first_trade_max": "0.002"})
    assert "below its smallest trade" in bob.get(f"/offers/{large['id']}").json["unmet"]


def test_a_private_offer_is_for_those_with_its_link(
    world: World, alice: Trader, bob: Trader
) -> None:
    order = sold(alice, private=True)
    link = order["link"]
    assert len(link) >= 16
    assert offered(bob) == []
    assert world.client().get("/api/v1/markets/BTC-EUR/book").json["asks"] == []
    assert alice.get("/markets/BTC-EUR").json["best_ask"] is None
    at = f"/offers/{order['id']}"
    for query in ({}, {"link": "0" * 32}, {"link": link[:-1] + "?"}):
        answer = bob.get(at, **query)
        assert answer.status_code in (404, 422)
    found = bob.get(at, link=link).json
    assert (found["private"], found["price"], found["own"]) == (True, "61000.00", False)
    assert link not in bob.get(at, link=link).text
    assert alice.get(at).json["own"] is True
    for without in ({}, {"link": "0" * 32}):
        refused(take(bob, order["id"], **without), "take_order", 409)
    assert bob.post("/orders", order_body(bob, price="61000", tif="IOC")).json["trades"] == []
    assert len(take(bob, order["id"], link=link).json["trades"]) == 1


def test_a_retried_private_order_has_the_same_link(world: World, alice: Trader) -> None:
    body = order_body(alice, side="sell", price="61000", private=True)
    first, again = (alice.post("/orders", body, key="private-1") for _ in range(2))
    assert first.json["order"]["link"] == again.json["order"]["link"]
    other = sold(alice, private=True)
    assert other["link"] != first.json["order"]["link"]


def test_several_orders_stand_over_one_balance(world: World, alice: Trader, bob: Trader) -> None:
    """Alice has 0.1 BTC and offers it three times."""
    orders = [
        sold(alice, price=price, quantity="0.09", shared=True)
        for price in ("61000", "62000", "63000")
    ]
    assert {order["held"] for order in orders} == {"0.00000000"}
    assert len(offered(bob)) == 3
    got = bob.post("/orders", order_body(bob, price="61000", quantity="0.09"))
    assert len(got.json["trades"]) == 1
    left = bob.post("/orders", order_body(bob, price="63000", quantity="0.09", tif="IOC"))
    assert left.status_code == 201, left.text
    traded = 0.09 - float(left.json["order"]["remaining"])
    assert traded <= 0.0091  # What of the 0.1 is left after the first trade and its fee.


def test_an_order_is_out_of_the_book_outside_its_hours(
    world: World, alice: Trader, bob: Trader
) -> None:
    opens = from_ms(now_ms()) + timedelta(hours=3)
    closes = opens + timedelta(hours=2)
    span = {
        "days": [DAYS[opens.weekday()]],
        "start": f"{opens:%H:%M}",
        "end": f"{closes:%H:%M}",
    }
    order = sold(alice, hours={"zone": "UTC", "spans": [span]})
    assert order["paused_by"] == "hours"
    assert order["paused"] == "It is outside its working hours."
    assert len(order["hours"]) >= 1
    assert offered(bob) == []
    world.pass_time(4 * HOUR)
    assert seen(alice, order["id"])["paused_by"] is None
    assert offered(bob) == [order["id"]]
    world.pass_time(2 * HOUR)
    assert offered(bob) == []


def test_hours_are_those_of_the_persons_zone_and_a_change_of_clocks_is_told(
    world: World, alice: Trader
) -> None:
    always = {
        "zone": "Asia/Tokyo",
        "spans": [{"days": list(DAYS), "start": "00:00", "end": "00:00"}],
    }
    order = sold(alice, hours=always)
    assert (order["paused_by"], order["hours"]) == (None, ["Mon 00:00 – Sun 24:00 UTC"])
    morning = {"zone": "Asia/Tokyo", "spans": [{"days": ["tue"], "start": "09:00", "end": "10:00"}]}
    assert sold(alice, hours=morning)["hours"] == ["Tue 00:00 – Tue 01:00 UTC"]


@pytest.mark.parametrize(
    ("stp", "statuses"),
    [
        ("cancel_newest", ("open", "cancelled")),
        ("cancel_oldest", ("cancelled", "open")),
        ("cancel_both", ("cancelled", "cancelled")),
    ],
)
def test_nobody_trades_with_themselves(
    world: World, alice: Trader, stp: str, statuses: tuple[str, str]
) -> None:
    old = sold(alice)["id"]
    new = alice.post("/orders", order_body(alice, price="61000", stp=stp))
    assert new.status_code == 201, new.text
    assert new.json["trades"] == []
    found = tuple(seen(alice, one)["status"] for one in (old, new.json["order"]["id"]))
    assert found == statuses


SPAN = {"days": ["mon"], "start": "09:00", "end": "10:00"}
HOURS = {"zone": "UTC", "spans": [SPAN]}
BAD_ORDERS: list[tuple[dict[str, Any], str]] = [
    ({"time_in_force": "GTC"}, "time_in_force"),
    ({"tif": "GTD"}, "expires_at"),
    ({"tif": "GTD", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ({"tif": "GTD", "expires_at": "2099-01-01T00:00:00Z"}, "expires_at"),
    ({"tif": "GTD", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
    ({"expires_at": "2030-01-01T00:00:00Z"}, "tif"),
    ({"post_only": True, "tif": "IOC"}, "post_only"),
    ({"post_only": "true"}, "post_only"),
    ({"floor": "1"}, "floor"),
    ({"stp": "allow"}, "stp"),
    (
        {
            "hours": {
                "zone": "Mars/Olympus",
                "spans": [{"days": ["mon"], "start": "09:00", "end": "10:00"}],
            }
        },
        "hours.zone",
    ),
    (
        {"hours": {"zone": "UTC", "spans": [{"days": ["mon"], "start": "25:00", "end": "10:00"}]}},
        "hours.spans.0.start",
    ),
    ({"hours": {"zone": "UTC", "spans": []}}, "hours.spans"),
    ({"conditions": {"min_kyc_tier": 10**30}}, "conditions.min_kyc_tier"),
    ({"conditions": {"min_completion_rate": "1.5"}}, "conditions.min_completion_rate"),
    ({"conditions": {"first_trade_max": "NaN"}}, "conditions.first_trade_max"),
    ({"conditions": {"first_trade_max": "-1"}}, "conditions.first_trade_max"),
    ({"conditions": {"regions": ["germany"]}}, "conditions.regions.0"),
    ({"conditions": {"link": "x" * 20}}, "conditions.link"),
    ({"private": True, "tif": "FOK"}, "private"),
    ({"link": "x" * 20}, "link"),
    ({"price": "92233720368547758.07", "quantity": "2"}, "price"),
]


def test_bad_orders_are_named_and_change_nothing(
    world: World, alice: Trader, subtests: pytest.Subtests
) -> None:
    before = world.row_counts()
    for change, field in BAD_ORDERS:
        with subtests.test(change=change, field=field):
            answer = sell(alice, **change)
            assert answer.status_code == 422, answer.text
            assert answer.json["error"]["field"] == field
    assert world.row_counts() == before
