"""Commands of the engine that are right as they are; change what the test is about."""

from typing import Any

ALICE, BOB, CAROL = 1, 2, 3
USDT = 10**6


def define_market(**changes: Any) -> dict[str, Any]:
    """USDT-EUR: price places 4, lot 0.01 USDT, 1 to 50,000 USDT a trade."""
    return {
        "kind": "define_market",
        "id": "USDT-EUR",
        "base": "USDT",
        "quote": "EUR",
        "base_places": 6,
        "quote_places": 2,
        "price_places": 4,
        "lot": USDT // 100,
        "min_trade": USDT,
        "max_trade": 50_000 * USDT,
        "escrow": "ledger",
        "status": "open",
        "payment_seconds": 1800,
        "release_seconds": 3600,
        "protection_bps": 500,
        "max_fee_bps": 100,
        "methods": ["sepa", "pix"],
        **changes,
    }


def deposit(owner: int = ALICE, units: int = 1000 * USDT, **changes: Any) -> dict[str, Any]:
    """1,000 USDT for Alice."""
    return {
        "kind": "deposit",
        "owner": owner,
        "asset": "USDT",
        "units": units,
        "reference": "test",
        **changes,
    }


def place_order(**changes: Any) -> dict[str, Any]:
    """Alice sells 100 USDT at 0.9200 EUR for SEPA; fees up to 1 %."""
    return {
        "kind": "place_order",
        "owner": ALICE,
        "market": "USDT-EUR",
        "side": "sell",
        "order_type": "limit",
        "price_kind": "fixed",
        "price": 9200,
        "quantity": 100 * USDT,
        "methods": ["sepa"],
        "accounts": {"sepa": 11},
        "max_fee_bps": 100,
        **changes,
    }


def take(order_id: int, **changes: Any) -> dict[str, Any]:
    """Bob takes an offer to sell, 100 USDT of it, at no worse than 0.9200."""
    return place_order(
        **{"owner": BOB, "side": "buy", "take_order": order_id, "accounts": {"sepa": 22}, **changes}
    )
