"""A market as the back office keeps it."""

from typing import Any

from sqlalchemy.orm import Session

from portal.markets.models import AssetRow, Market


def add_market(session: Session, **changes: Any) -> Market:
    """USDT-EUR with ledger escrow, and its assets."""
    session.add_all(
        (
            AssetRow(code="USDT", name="Tether", kind="coin", places=6),
            AssetRow(code="EUR", name="Euro", kind="fiat", places=2),
        )
    )
    session.flush()
    values: dict[str, Any] = {
        "id": "USDT-EUR",
        "base": "USDT",
        "quote": "EUR",
        "price_places": 4,
        "lot": 10_000,
        "min_trade": 1_000_000,
        "max_trade": 50_000_000_000,
        "escrow": "ledger",
        "payment_seconds": 1800,
        "release_seconds": 3600,
        "fee_model": "maker_taker",
        "methods": ["sepa"],
        "sources": [],
    }
    market = Market(**(values | changes))
    session.add(market)
    return market
