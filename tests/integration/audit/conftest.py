"""A portal in which something happened."""

import pytest

from portal.core.db import Database
from portal.engine.local import LocalEngine
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


@pytest.fixture
def a_trade(database: Database) -> Database:
    """An open order, a buyer's bid, and one trade whose escrow has paid out."""
    engine = LocalEngine(database)
    for command in (define_market(), deposit(), deposit(CAROL, 5 * USDT)):
        engine.submit(command)
    offer = engine.submit(place_order())
    (trade_id,) = engine.submit(take(offer["order_id"], quantity=40 * USDT))["trades"]
    fees = {"maker_fee": USDT // 10, "taker_fee": USDT // 5}
    for step in (
        {"kind": "clear_trade", "decision": "allow", **fees},
        {"kind": "escrow_locked", "reference": "lock"},
        {"kind": "mark_paid", "actor": BOB},
        {"kind": "release", "actor": ALICE},
        {"kind": "settled", "reference": "pay"},
    ):
        engine.submit({**step, "trade_id": trade_id})
    engine.submit(take(offer["order_id"], quantity=10 * USDT))
    engine.close()
    return database
