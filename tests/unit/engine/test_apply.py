"""The engine's rules in memory: orders, matching, the life of a trade, and the ledger under it."""

from typing import Any

import pytest

from portal.core.errors import Conflict, Forbidden, InvalidInput, NotFound, PortalError
from portal.engine.apply import apply
from portal.engine.commands import parse_command
from portal.engine.state import ShardState
from portal.ledger.rules import AccountKey
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


class Shard:
    """A shard in memory with a clock the test turns."""

    def __init__(self) -> None:
        self.state = ShardState("test")
        self.at_ms = 1_000_000

    def do(self, command: dict[str, Any]) -> dict[str, Any]:
        return apply(self.state, parse_command(command), self.at_ms)

    def on_trade(self, kind: str, trade_id: int, **rest: Any) -> dict[str, Any]:
        return self.do({"kind": kind, "trade_id": trade_id, **rest})

    def balance(self, owner: int, kind: str) -> int:
        return self.state.balance(AccountKey(owner, "USDT", kind))

    def cleared(self, trade_id: int, maker_fee: int = 0, taker_fee: int = 0) -> None:
        self.on_trade(
            "clear_trade", trade_id, decision="allow", maker_fee=maker_fee, taker_fee=taker_fee
        )
        self.on_trade("escrow_locked", trade_id, reference="lock")


@pytest.fixture
def shard() -> Shard:
    shard = Shard()
    shard.do(define_market())
    shard.do(deposit())
    return shard


@pytest.fixture
def trade_id(shard: Shard) -> int:
    """Bob has taken 100 USDT of Alice's offer."""
    offer = shard.do(place_order())["order_id"]
    return int(shard.do(take(offer))["trades"][0])


def test_a_sell_order_holds_its_coins_and_the_highest_fee(shard: Shard) -> None:
    shard.do(place_order())
    assert shard.balance(ALICE, "held") == 101 * USDT
    assert shard.balance(ALICE, "available") == 899 * USDT


def test_a_sell_order_beyond_the_balance_is_refused_and_changes_nothing(shard: Shard) -> None:
    before = shard.state.snapshot()
    with pytest.raises(InvalidInput) as caught:
        shard.do(place_order(quantity=1000 * USDT))
    assert caught.value.field == "quantity"
    assert shard.state.snapshot() == before


def test_cancelling_gives_everything_back(shard: Shard) -> None:
    order = shard.do(place_order())["order_id"]
    shard.do({"kind": "cancel_order", "order_id": order, "owner": ALICE})
    assert shard.balance(ALICE, "available") == 1000 * USDT


def test_another_persons_order_cannot_be_cancelled(shard: Shard) -> None:
    order = shard.do(place_order())["order_id"]
    with pytest.raises(Forbidden):
        shard.do({"kind": "cancel_order", "order_id": order, "owner": BOB})


def test_the_better_price_trades_first_then_the_older_order(shard: Shard) -> None:
    shard.do(deposit(CAROL))
    dear = shard.do(place_order(price=9300))["order_id"]
    first = shard.do(place_order(price=9200, quantity=10 * USDT))["order_id"]
    second = shard.do(place_order(owner=CAROL, price=9200, quantity=10 * USDT))["order_id"]
    answer = shard.do(place_order(owner=BOB, side="buy", price=9400, quantity=30 * USDT))
    makers = [shard.state.trades[trade].maker_order_id for trade in answer["trades"]]
    assert makers == [first, second, dear]


def test_a_floating_offer_follows_the_index_and_pauses_without_it(shard: Shard) -> None:
    offer = place_order(price_kind="floating", margin_bps=100)
    del offer["price"]
    shard.do(offer)
    buy = place_order(owner=BOB, side="buy", price=9999, quantity=10 * USDT, tif="IOC")
    assert shard.do(buy)["trades"] == []
    shard.do({"kind": "index_tick", "market": "USDT-EUR", "price": 9200})
    (trade,) = shard.do(buy)["trades"]
    assert shard.state.trades[trade].price_ticks == 9292
    shard.do({"kind": "index_tick", "market": "USDT-EUR", "price": None, "reason": "no feed"})
    assert shard.do(buy)["trades"] == []


def test_a_price_whose_feed_died_pauses_floating_offers_by_itself(shard: Shard) -> None:
    offer = place_order(price_kind="floating", margin_bps=0)
    del offer["price"]
    shard.do(offer)
    shard.do(
        {
            "kind": "index_tick",
            "market": "USDT-EUR",
            "price": 9200,
            "good_until_ms": shard.at_ms + 60_000,
        }
    )
    buy = place_order(owner=BOB, side="buy", price=9999, quantity=10 * USDT, tif="IOC")
    assert len(shard.do(buy)["trades"]) == 1
    shard.at_ms += 60_001
    assert shard.do(buy)["trades"] == []


def test_foreign_methods_are_passed_over(shard: Shard) -> None:
    shard.do(place_order(price=9100, methods=["pix"]))
    good = shard.do(place_order(price=9200))["order_id"]
    answer = shard.do(place_order(owner=BOB, side="buy", price=9300, quantity=50 * USDT))
    (trade,) = answer["trades"]
    assert shard.state.trades[trade].maker_order_id == good


def test_limits_per_trade_of_both_sides_are_kept(shard: Shard) -> None:
    shard.do(place_order(max_trade=20 * USDT, min_trade=5 * USDT))
    assert (
        shard.do(place_order(owner=BOB, side="buy", quantity=3 * USDT, tif="IOC"))["trades"] == []
    )
    answer = shard.do(place_order(owner=BOB, side="buy", quantity=50 * USDT, tif="IOC"))
    (trade,) = answer["trades"]
    assert shard.state.trades[trade].quantity == 20 * USDT


def test_a_market_order_stays_within_its_protection(shard: Shard) -> None:
    shard.do({"kind": "index_tick", "market": "USDT-EUR", "price": 9200})
    shard.do(place_order(price=9700))
    market_order = place_order(owner=BOB, side="buy", order_type="market")
    del market_order["price"]
    answer = shard.do(market_order)
    assert (answer["trades"], answer["status"]) == ([], "cancelled")


def test_a_market_order_without_any_price_is_refused(shard: Shard) -> None:
    market_order = place_order(owner=BOB, side="buy", order_type="market")
    del market_order["price"]
    with pytest.raises(Conflict, match="no price"):
        shard.do(market_order)


def test_a_taken_offer_that_is_gone_leaves_no_order(shard: Shard) -> None:
    before = shard.state.snapshot()
    with pytest.raises(Conflict, match="gone"):
        shard.do(take(999))
    assert shard.state.snapshot() == before


def test_the_money_due_rounds_up_to_a_cent(shard: Shard) -> None:
    offer = shard.do(place_order(price=9201, min_trade=USDT))["order_id"]
    (trade,) = shard.do(take(offer, price=9201, quantity=int(1.01 * USDT)))["trades"]
    assert shard.state.trades[trade].fiat_units == 93


def test_release_pays_the_buyer_and_the_platform_from_escrow(shard: Shard, trade_id: int) -> None:
    shard.cleared(trade_id, maker_fee=200_000, taker_fee=300_000)
    assert shard.balance(ALICE, "escrow") == 100_200_000
    assert shard.balance(ALICE, "held") == 0
    shard.on_trade("mark_paid", trade_id, actor=BOB)
    shard.on_trade("verify_payment", trade_id, reference="line 7")
    shard.on_trade("release", trade_id, actor=ALICE)
    shard.on_trade("settled", trade_id, reference="tx")
    assert shard.balance(BOB, "available") == 99_700_000
    assert shard.balance(0, "fee_income") == 500_000
    assert shard.balance(ALICE, "available") == 1000 * USDT - 100_200_000
    assert trade_id not in shard.state.trades


def test_a_fee_above_what_was_agreed_is_refused(shard: Shard, trade_id: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        shard.on_trade("clear_trade", trade_id, decision="allow", maker_fee=2 * USDT)
    assert caught.value.field == "maker_fee"
    assert shard.state.trades[trade_id].state == "matched"


def test_the_payment_clock_ends_the_trade_but_never_early(shard: Shard, trade_id: int) -> None:
    shard.cleared(trade_id)
    with pytest.raises(Conflict, match="not over"):
        shard.on_trade("expire", trade_id)
    shard.at_ms += 1800 * 1000
    assert shard.on_trade("expire", trade_id)["state"] == "expired"
    shard.on_trade("settled", trade_id, reference="refund")
    assert shard.balance(ALICE, "available") == 1000 * USDT


def test_after_paid_the_clock_opens_a_dispute_and_never_refunds(
    shard: Shard, trade_id: int
) -> None:
    shard.cleared(trade_id)
    shard.on_trade("mark_paid", trade_id, actor=BOB)
    shard.at_ms += 3600 * 1000
    assert shard.on_trade("expire", trade_id)["state"] == "disputed"
    assert shard.state.trades[trade_id].deadline_ms is None
    with pytest.raises(Conflict):
        shard.on_trade("expire", trade_id)


def test_verification_does_not_restart_the_release_clock(shard: Shard, trade_id: int) -> None:
    shard.cleared(trade_id)
    shard.on_trade("mark_paid", trade_id, actor=BOB)
    deadline = shard.state.trades[trade_id].deadline_ms
    shard.at_ms += 1000
    shard.on_trade("verify_payment", trade_id, reference="line")
    assert shard.state.trades[trade_id].deadline_ms == deadline


@pytest.mark.parametrize(
    ("outcome", "to_buyer", "expected"),
    [("buyer", None, 99_500_000), ("seller", None, 0), ("split", 50_000_000, 49_750_000)],
)
def test_a_decision_pays_exactly_what_it_says(
    shard: Shard, trade_id: int, outcome: str, to_buyer: int | None, expected: int
) -> None:
    shard.cleared(trade_id, taker_fee=500_000)
    shard.on_trade("mark_paid", trade_id, actor=BOB)
    shard.on_trade("dispute", trade_id, actor=BOB, reason="not released")
    shard.on_trade("resolve", trade_id, outcome=outcome, to_buyer=to_buyer, actor=99)
    shard.on_trade("settled", trade_id, reference="decision")
    assert shard.balance(BOB, "available") == expected
    total = sum(account.balance for account in shard.state.accounts.values())
    assert total == 0


def test_a_held_trade_is_only_cleared_by_staff(shard: Shard, trade_id: int) -> None:
    shard.on_trade("clear_trade", trade_id, decision="hold", reason="over the limit")
    with pytest.raises(Forbidden):
        shard.on_trade("clear_trade", trade_id, decision="allow")
    answer = shard.on_trade("clear_trade", trade_id, decision="allow", actor=99)
    assert answer["state"] == "locking"


def test_a_denied_trade_frees_the_sellers_coins(shard: Shard, trade_id: int) -> None:
    shard.on_trade("clear_trade", trade_id, decision="deny", reason="blocked country")
    assert shard.balance(ALICE, "available") == 1000 * USDT


def test_a_stranger_sees_no_trade(shard: Shard, trade_id: int) -> None:
    shard.cleared(trade_id)
    with pytest.raises(NotFound):
        shard.on_trade("mark_paid", trade_id, actor=CAROL)


def test_the_seller_cannot_mark_paid_nor_the_buyer_release(shard: Shard, trade_id: int) -> None:
    shard.cleared(trade_id)
    with pytest.raises(Forbidden):
        shard.on_trade("mark_paid", trade_id, actor=ALICE)
    shard.on_trade("mark_paid", trade_id, actor=BOB)
    with pytest.raises(Forbidden):
        shard.on_trade("release", trade_id, actor=BOB)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": -1}, "quantity"),
        ({"quantity": 10**30}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": "100"}, "quantity"),
        ({"quantity": USDT // 100 + 1}, "quantity"),
        ({"quantity": USDT // 2}, "quantity"),
        ({"price": 0}, "price"),
        ({"price": None}, "price"),
        ({"price": 2**63 - 1, "quantity": 200 * USDT}, "price"),
        ({"side": "both"}, "side"),
        ({"methods": []}, "methods"),
        ({"methods": ["cash"]}, "methods"),
        ({"min_trade": 200 * USDT}, "min_trade"),
        ({"max_trade": 60_000 * USDT}, "max_trade"),
        ({"price_kind": "floating", "price": None, "margin_bps": 9000}, "margin_bps"),
        ({"surprise": 1}, "surprise"),
        ({"market": "DOGE-EUR"}, "market"),
    ],
)
def test_bad_orders_name_their_field_and_change_nothing(
    shard: Shard, change: dict[str, Any], field: str
) -> None:
    before = shard.state.snapshot()
    with pytest.raises(PortalError) as caught:
        shard.do(place_order(**change))
    assert (caught.value.field or "").split(".")[-1] == field
    assert shard.state.snapshot() == before


def test_a_halted_market_takes_no_order(shard: Shard) -> None:
    shard.do(define_market(status="halted"))
    with pytest.raises(Conflict, match="halted"):
        shard.do(place_order())


def test_a_markets_units_cannot_be_changed(shard: Shard) -> None:
    with pytest.raises(InvalidInput, match="base_places"):
        shard.do(define_market(base_places=8))


def test_a_coin_has_one_kind_of_escrow(shard: Shard) -> None:
    """Else the ledger could sell coins that the seller takes out of their vault afterwards."""
    with pytest.raises(InvalidInput) as caught:
        shard.do(define_market(id="USDT-USD", escrow="evm"))
    assert caught.value.field == "escrow"
    shard.do(define_market(id="USDT-USD"))
