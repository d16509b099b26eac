"""The commands of the benches as JSON from behind the opening brace.

A load puts the brace and the command's key in front.
"""

import random
from typing import Any

import orjson

USDT = 10**6
LOT = USDT // 100
MARKET = "USDT-EUR"
MID = 9_200
METHODS = ("sepa", "pix", "wise", "revolut")


def body(kind: str, **fields: Any) -> bytes:
    """A command's JSON from behind its opening brace."""
    return orjson.dumps({"kind": kind, **fields})[1:]


def define_market(market: str = MARKET, **changes: Any) -> bytes:
    """USDT against EUR with the ledger as escrow: price places 4, lot 0.01 USDT."""
    terms = {
        "id": market,
        "base": "USDT",
        "quote": "EUR",
        "base_places": 6,
        "quote_places": 2,
        "price_places": 4,
        "lot": LOT,
        "min_trade": USDT,
        "max_trade": 50_000 * USDT,
        "escrow": "ledger",
        "status": "open",
        "payment_seconds": 86_400,
        "release_seconds": 86_400,
        "protection_bps": 500,
        "max_fee_bps": 100,
        "methods": list(METHODS),
    }
    return body("define_market", **(terms | changes))


def deposit(owner: int, units: int) -> bytes:
    """Coins for an owner, enough for every order of a bench."""
    return body("deposit", owner=owner, asset="USDT", units=units, reference="bench")


def index_tick(price: int, market: str = MARKET) -> bytes:
    """A new index price."""
    return body("index_tick", market=market, price=price)


def place_order(owner: int, side: str, price: int | None, units: int, **changes: Any) -> bytes:
    """A limit order, good till cancelled, fees up to 1 %."""
    fields: dict[str, Any] = {
        "owner": owner,
        "market": MARKET,
        "side": side,
        "order_type": "limit",
        "price_kind": "fixed",
        "price": price,
        "quantity": units,
        "methods": ["sepa"],
        "max_fee_bps": 100,
    } | changes
    fields.setdefault("accounts", dict.fromkeys(fields["methods"], owner))
    return body(
        "place_order", **{name: value for name, value in fields.items() if value is not None}
    )


def methods_of(rng: random.Random) -> list[str]:
    """What people take: mostly one method, sometimes two."""
    return rng.sample(METHODS, 1 if rng.random() < 0.7 else 2)
