"""Coins against coins: a fill moves both at once."""

from typing import Any

import pytest

from portal.core.errors import InvalidInput
from tests.factories.engine import ALICE, BOB, USDT, define_market, deposit, place_order
from tests.unit.engine.shard import Shard

BTC = 10**8


def _market(**changes: Any) -> dict[str, Any]:
    """BTC-USDT: prices in whole cents of a USDT."""
    return define_market(
        **{
            "id": "BTC-USDT",
            "base": "BTC",
            "quote": "USDT",
            "base_places": 8,
            "quote_places": 6,
            "price_places": 2,
            "lot": 1000,
            "min_trade": 1000,
            "max_trade": 100 * BTC,
            "methods": ["ledger"],
            "settlement": "instant",
            **changes,
        }
    )


def _order(**changes: Any) -> dict[str, Any]:
    """Alice sells 1 BTC at 50,000.00 USDT."""
    return place_order(
        **{
            "market": "BTC-USDT",
            "price": 5_000_000,
            "quantity": BTC,
            "methods": ["ledger"],
            "accounts": {},
            **changes,
        }
    )


@pytest.fixture
def shard() -> Shard:
    shard = Shard()
    shard.do(_market())
    shard.do(deposit(ALICE, 10 * BTC, asset="BTC"))
    shard.do(deposit(BOB, 100_000 * USDT))
    return shard


def _total(shard: Shard, asset: str) -> int:
    accounts = shard.state.accounts.items()
    return sum(account.balance for key, account in accounts if key.asset == asset)


def test_a_fill_moves_both_coins_and_charges_both_sides(shard: Shard) -> None:
    shard.do(_order(maker_fee_bps=10))
    bid = _order(owner=BOB, side="buy", price=5_100_000, quantity=BTC // 2, taker_fee_bps=20)
    answer = shard.do(bid)
    assert (len(answer["trades"]), answer["status"]) == (1, "filled")
    assert shard.balance(BOB, asset="BTC") == BTC // 2 - BTC // 2 * 20 // 10_000
    assert shard.balance(ALICE) == 25_000 * USDT
    assert shard.balance(BOB) == 75_000 * USDT
    assert shard.balance(0, "fee_income", "BTC") == BTC // 2 * 30 // 10_000
    assert shard.balance(BOB, "held") == 0
    assert not shard.state.trades
    assert (_total(shard, "BTC"), _total(shard, "USDT")) == (0, 0)


def test_a_bid_holds_what_it_may_cost(shard: Shard) -> None:
    bid = shard.do(_order(owner=BOB, side="buy", quantity=2 * BTC))["order_id"]
    assert shard.balance(BOB, "held") == 100_000 * USDT
    with pytest.raises(InvalidInput, match="Not enough USDT"):
        shard.do(_order(owner=BOB, side="buy", quantity=BTC))
    shard.do({"kind": "cancel_order", "order_id": bid, "owner": BOB})
    assert shard.balance(BOB) == 100_000 * USDT


def test_a_market_bid_pays_what_it_meets_and_gets_the_rest_back(shard: Shard) -> None:
    shard.do(_order())
    shard.do({"kind": "index_tick", "market": "BTC-USDT", "price": 5_000_000})
    answer = shard.do(_order(owner=BOB, side="buy", order_type="market", price=None))
    assert answer["status"] == "filled"
    assert (shard.balance(BOB), shard.balance(BOB, "held")) == (50_000 * USDT, 0)


def test_money_outside_cannot_settle_at_once(shard: Shard) -> None:
    with pytest.raises(InvalidInput) as caught:
        shard.do(_market(id="X", methods=["sepa"]))
    assert caught.value.field == "settlement"


def test_a_floating_bid_needs_a_ceiling(shard: Shard) -> None:
    floating = _order(owner=BOB, side="buy", price_kind="floating", price=None, margin_bps=0)
    with pytest.raises(InvalidInput) as caught:
        shard.do(floating)
    assert caught.value.field == "ceiling"
    shard.do({**floating, "ceiling": 5_000_000})
    assert shard.balance(BOB, "held") == 50_000 * USDT
