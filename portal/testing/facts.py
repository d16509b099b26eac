"""Facts that a plugin may be asked about, valid unless a test says otherwise."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from portal.plugin_api import Asset, Money, OrderFacts, PartyFacts, TradeFacts

USDT, EUR = Asset("USDT", 6), Asset("EUR", 2)
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def party_facts(**changes: Any) -> PartyFacts:
    """Somebody in Germany whose identity was checked, with nothing traded today."""
    base = PartyFacts(
        user_id=1,
        kyc_tier=1,
        country="DE",
        completed_trades=0,
        account_age_days=1,
        traded_today=Money(EUR, 0),
    )
    return replace(base, **changes)


def trade_facts(**changes: Any) -> TradeFacts:
    """100 USDT for 92 euros; the seller's order was there first."""
    base = TradeFacts(
        trade_id=1,
        market="USDT-EUR",
        quantity=Money(USDT, 100_000_000),
        amount=Money(EUR, 92_00),
        price="0.9200",
        maker_side="sell",
        method="sepa",
        buyer=party_facts(user_id=2),
        seller=party_facts(user_id=1),
        at=AT,
    )
    return replace(base, **changes)


def order_facts(**changes: Any) -> OrderFacts:
    """An order to buy 100 USDT for 92 euros."""
    base = OrderFacts(
        market="USDT-EUR",
        side="buy",
        base=USDT,
        quote=EUR,
        quantity=Money(USDT, 100_000_000),
        amount=Money(EUR, 92_00),
        methods=("sepa",),
        party=party_facts(),
        at=AT,
    )
    return replace(base, **changes)
