"""A market and its orders for the proofs of matching."""

from typing import Any

from portal.orders.rules import MarketTerms, OrderState

HOUR = 3_600_000
LOT = 10


def terms(**changes: Any) -> MarketTerms:
    """Lot 10, smallest trade 20; market orders go 10 % beyond the index at most."""
    return MarketTerms(
        **{
            "id": "M",
            "base": "USDT",
            "quote": "EUR",
            "base_places": 6,
            "quote_places": 2,
            "price_places": 4,
            "lot": LOT,
            "min_trade": 20,
            "max_trade": 10_000,
            "escrow": "ledger",
            "status": "open",
            "payment_seconds": 1,
            "release_seconds": 1,
            "protection_bps": 1000,
            "max_fee_bps": 100,
            "methods": ["sepa", "pix", "upi"],
            **changes,
        }
    )


def order(number: int, side: str = "sell", **changes: Any) -> OrderState:
    """Order `number`: 100 units at 100 ticks for SEPA."""
    values: dict[str, Any] = {
        "id": number,
        "owner_id": 1,
        "market_id": "M",
        "side": side,
        "order_type": "limit",
        "price_kind": "fixed",
        "price_ticks": 100,
        "margin_bps": None,
        "quantity": 100,
        "min_trade": 20,
        "methods": ("sepa",),
        "accounts": {},
        "tif": "GTC",
        "max_fee_bps": 0,
        "held": 0,
        "status": "open",
        "reason": None,
        "authority": None,
        "take_order": None,
        "created_ms": 0,
        "updated_ms": 0,
        "priority": number,
        **changes,
    }
    values.setdefault("remaining", values["quantity"])
    values.setdefault("max_trade", values["quantity"])
    return OrderState(**values)
