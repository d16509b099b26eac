"""What an order can ask for beyond a price and a size."""

from typing import Any

import pytest

from portal.core.errors import Conflict, InvalidInput, PortalError
from tests.factories.engine import (
    ALICE,
    BOB,
    CAROL,
    USDT,
    define_market,
    deposit,
    place_order,
    take,
)
from tests.unit.engine.shard import Shard

MINUTE = 60_000


@pytest.fixture
def shard() -> Shard:
    shard = Shard()
    shard.do(define_market())
    shard.do(deposit())
    return shard


def _buy(**changes: Any) -> dict[str, Any]:
    return place_order(**{"owner": BOB, "side": "buy", "price": 9400, **changes})


def _tick(price: int | None) -> dict[str, Any]:
    return {"kind": "index_tick", "market": "USDT-EUR", "price": price}


def _placed(shard: Shard, **changes: Any) -> int:
    return int(shard.do(place_order(**changes))["order_id"])


def _floating(**changes: Any) -> dict[str, Any]:
    return place_order(**{"price_kind": "floating", "price": None, "margin_bps": 0, **changes})


def _amend(order_id: int, **changes: Any) -> dict[str, Any]:
    return {"kind": "amend_order", "order_id": order_id, "owner": ALICE, **changes}


@pytest.mark.parametrize(
    ("stp", "open_after", "trades"),
    [("cancel_newest", 1, 0), ("cancel_oldest", 0, 1), ("cancel_both", 0, 0)],
)
def test_nobody_trades_with_themselves(
    shard: Shard, stp: str, open_after: int, trades: int
) -> None:
    shard.do(deposit(CAROL))
    own = _placed(shard, price=9100)
    _placed(shard, owner=CAROL, price=9200)
    answer = shard.do(place_order(side="buy", price=9400, stp=stp))
    assert len(answer["trades"]) == trades
    assert (own in shard.state.orders) == bool(open_after)


def test_fill_or_kill_trades_whole_or_not_at_all(shard: Shard) -> None:
    _placed(shard)
    answer = shard.do(_buy(quantity=150 * USDT, tif="FOK"))
    assert (answer["trades"], answer["status"]) == ([], "cancelled")
    answer = shard.do(_buy(tif="FOK"))
    assert (len(answer["trades"]), answer["status"]) == (1, "filled")


def test_an_order_that_only_rests_is_refused_where_it_would_trade(shard: Shard) -> None:
    _placed(shard)
    before = shard.state.snapshot()
    with pytest.raises(Conflict, match="at once"):
        shard.do(_buy(post_only=True))
    assert shard.state.snapshot() == before
    assert shard.do(_buy(post_only=True, price=9100))["status"] == "open"


def test_a_good_till_order_ends_in_time_and_frees_its_coins(shard: Shard) -> None:
    order = _placed(shard, tif="GTD", expires_ms=shard.at_ms + MINUTE)
    assert shard.state.due_ms == shard.at_ms + MINUTE
    shard.wait(MINUTE)
    assert order not in shard.state.orders
    assert shard.balance(ALICE) == 1000 * USDT


def test_a_floor_and_a_ceiling_bound_a_floating_price(shard: Shard) -> None:
    shard.do(_floating(floor=9000, ceiling=9300))
    prices = []
    for index in (9200, 8000, 9900, 9250):
        shard.do(_tick(index))
        (trade,) = shard.do(_buy(quantity=10 * USDT, price=9999, tif="IOC"))["trades"]
        prices.append(shard.state.trades[trade].price_ticks)
    assert prices == [9200, 9000, 9300, 9250]


def test_working_hours_take_an_order_out_of_the_book_and_back(shard: Shard) -> None:
    order = _placed(shard, hours=[[60, 120]])
    assert shard.paused(order) == "hours"
    assert shard.do(_buy(tif="IOC"))["trades"] == []
    shard.wait(60 * MINUTE)
    assert shard.paused(order) is None
    shard.wait(60 * MINUTE)
    assert shard.paused(order) == "hours"
    with pytest.raises(Conflict, match="paused"):
        shard.do(take(order))


def test_a_private_order_is_met_by_nobody_but_who_names_it_with_its_link(shard: Shard) -> None:
    order = _placed(shard, conditions={"link": "secret-of-alice"})
    assert shard.do(_buy(tif="IOC"))["trades"] == []
    with pytest.raises(Conflict, match="gone"):
        shard.do(take(order))
    assert len(shard.do(take(order, link="secret-of-alice"))["trades"]) == 1


def test_conditions_hold_both_ways(shard: Shard) -> None:
    order = _placed(shard, conditions={"min_trades": 3, "regions": ["DE"]}, facts={"tier": 1})
    assert shard.do(_buy(tif="IOC", facts={"trades": 5, "region": "BR"}))["trades"] == []
    fitting = {"trades": 5, "region": "DE"}
    choosy = _buy(tif="IOC", facts=fitting, conditions={"min_tier": 2})
    assert shard.do(choosy)["trades"] == []
    with pytest.raises(Conflict, match="conditions"):
        shard.do(take(order))
    assert len(shard.do(_buy(tif="IOC", facts=fitting))["trades"]) == 1


def test_a_first_trade_is_small(shard: Shard) -> None:
    _placed(shard, conditions={"first_trade_max": 5 * USDT})
    (trade,) = shard.do(_buy(tif="IOC"))["trades"]
    assert shard.state.trades[trade].quantity == 5 * USDT


def test_several_orders_share_one_balance_and_follow_it(shard: Shard) -> None:
    orders = [_placed(shard, quantity=800 * USDT, shared=True, max_fee_bps=0) for _ in "ab"]
    assert shard.balance(ALICE, "held") == 0
    shard.do(_buy(quantity=700 * USDT, max_fee_bps=0))
    assert (shard.balance(ALICE, "held"), shard.balance(ALICE)) == (700 * USDT, 300 * USDT)
    trades = shard.do(_buy(quantity=500 * USDT, tif="IOC", max_fee_bps=0))["trades"]
    sizes = [shard.state.trades[trade].quantity for trade in trades]
    assert sizes == [100 * USDT, 200 * USDT]  # The first order's rest, then all that was left.
    assert shard.paused(orders[1]) == "balance"
    shard.do(deposit())
    assert shard.paused(orders[1]) is None


def test_less_quantity_keeps_its_place_and_more_loses_it(shard: Shard) -> None:
    shard.do(deposit(CAROL))
    first, second = _placed(shard), _placed(shard, owner=CAROL)
    shard.do(_amend(first, remaining=50 * USDT))
    assert shard.balance(ALICE, "held") == int(50.5 * USDT)
    (trade,) = shard.do(_buy(quantity=10 * USDT))["trades"]
    assert shard.state.trades[trade].maker_order_id == first
    shard.do(_amend(first, remaining=60 * USDT))
    (trade,) = shard.do(_buy(quantity=10 * USDT))["trades"]
    assert shard.state.trades[trade].maker_order_id == second


def test_a_new_price_may_trade_at_once(shard: Shard) -> None:
    order = _placed(shard, price=9900)
    shard.do(_buy())
    answer = shard.do(_amend(order, price=9300))
    assert (len(answer["trades"]), answer["status"]) == (1, "filled")


def test_a_pause_and_a_holiday_take_orders_out(shard: Shard) -> None:
    first, second = _placed(shard), _placed(shard)
    shard.do({"kind": "pause_order", "order_id": first, "owner": ALICE, "paused": True})
    shard.do({"kind": "set_away", "owner": ALICE, "away": True})
    assert (shard.paused(first), shard.paused(second)) == ("owner", "away")
    assert shard.do(_buy(tif="IOC"))["trades"] == []
    shard.do({"kind": "set_away", "owner": ALICE, "away": False})
    assert (shard.paused(first), shard.paused(second)) == ("owner", None)
    shard.do({"kind": "pause_order", "order_id": first, "owner": ALICE, "paused": False})
    assert len(shard.do(_buy(quantity=200 * USDT))["trades"]) == 2


def test_cancel_all_of_a_side(shard: Shard) -> None:
    sell, buy = _placed(shard), _placed(shard, side="buy", price=9000)
    answer = shard.do({"kind": "cancel_all", "owner": ALICE, "side": "sell"})
    assert (answer["cancelled"], list(shard.state.orders)) == ([sell], [buy])


def test_a_mass_quote_replaces_its_set_and_tells_of_each(shard: Shard) -> None:
    def quotes(*prices: int, **changes: Any) -> dict[str, Any]:
        plain = place_order()
        for name in ("kind", "owner", "market"):
            del plain[name]
        return {
            "kind": "mass_quote",
            "owner": ALICE,
            "market": "USDT-EUR",
            "quote_set": "ladder",
            "quotes": [{**plain, "price": price, **changes} for price in prices],
        }

    first = shard.do(quotes(9200, 9300))["quotes"]
    other = _placed(shard)
    answer = shard.do(quotes(9250, 2**63 - 1, quantity=200 * USDT))
    assert answer["cancelled"] == [quote["order_id"] for quote in first]
    assert answer["quotes"][1]["error"]["field"] == "price"
    assert sorted(shard.state.orders) == [other, answer["quotes"][0]["order_id"]]


def test_an_order_rests_for_its_time_unless_staff_ends_it(shard: Shard) -> None:
    shard.do(define_market(min_rest_ms=1_000))
    order = _placed(shard)
    mine = {"kind": "cancel_order", "order_id": order, "owner": ALICE}
    with pytest.raises(Conflict, match="1000 ms"):
        shard.do(mine)
    with pytest.raises(Conflict):
        shard.do(_amend(order, price=9900))
    assert shard.do({"kind": "cancel_all", "owner": ALICE})["kept"] == [order]
    shard.do({"kind": "cancel_order", "order_id": order, "actor": 99})
    order = _placed(shard)
    shard.at_ms += 1_000
    shard.do({**mine, "order_id": order})


def test_limits_of_a_person_and_of_a_key(shard: Shard) -> None:
    shard.do(define_market(max_open_orders=2))
    _placed(shard, via="key-1", via_max_open=1)
    with pytest.raises(Conflict) as caught:
        _placed(shard, via="key-1", via_max_open=1)
    assert caught.value.field == "via"
    _placed(shard)
    with pytest.raises(Conflict) as caught:
        _placed(shard)
    assert caught.value.field == "market"


def test_a_price_stays_within_the_band(shard: Shard) -> None:
    shard.do(define_market(band_bps=500))
    shard.do(_tick(9200))
    with pytest.raises(InvalidInput, match="5 %"):
        _placed(shard, price=9700)
    _placed(shard, price=9600)


def test_an_auction_collects_and_opens_at_one_price(shard: Shard) -> None:
    shard.do(deposit(CAROL))
    shard.do(define_market(status="auction"))
    _placed(shard, price=9000)
    _placed(shard, owner=CAROL, price=9200)
    first = shard.do(_buy(price=9300, quantity=150 * USDT))
    assert first["trades"] == []
    with pytest.raises(Conflict, match="collects"):
        shard.do(_buy(tif="IOC"))
    trades = shard.do(define_market())["trades"]
    assert [shard.state.trades[trade].price_ticks for trade in trades] == [9200, 9200]
    assert sum(shard.state.trades[trade].quantity for trade in trades) == 150 * USDT


def test_a_larger_trade_limit_is_refused_where_it_could_not_be_counted(shard: Shard) -> None:
    shard.do(_tick(2**40))
    with pytest.raises(InvalidInput) as caught:
        shard.do(define_market(max_trade=2**55 // 10_000 * 10_000))
    assert caught.value.field == "max_trade"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tif": "GTD"}, "expires_ms"),
        ({"expires_ms": 10**14}, "expires_ms"),
        ({"tif": "GTD", "expires_ms": 1}, "expires_ms"),
        ({"post_only": True, "tif": "IOC"}, "post_only"),
        ({"floor": 9000}, "floor"),
        ({"price_kind": "floating", "margin_bps": 0, "floor": 2, "ceiling": 1}, "floor"),
        ({"price_kind": "floating", "margin_bps": 0, "floor": 2**63 - 1}, "floor"),
        ({"hours": [[5, 5]]}, "hours"),
        ({"maker_fee_bps": 101}, "maker_fee_bps"),
        ({"conditions": {"first_trade_max": 0}}, "first_trade_max"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    shard: Shard, changes: dict[str, Any], field: str
) -> None:
    before = shard.state.snapshot()
    with pytest.raises(PortalError) as caught:
        _placed(shard, **{"quantity": 200 * USDT, **changes})
    assert (caught.value.field or "").split(".")[-1] == field
    assert shard.state.snapshot() == before
