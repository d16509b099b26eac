"""Facts for plugin tests, valid unless a test says otherwise."""

from dataclasses import replace
from datetime import UTC, datetime

from portal.plugin_api import Asset, Money, OrderFacts, PartyFacts, TradeFacts

USDT = Asset("USDT", 6)
EUR = Asset("EUR", 2)
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def party(**changes: object) -> PartyFacts:
    """A checked German with nothing traded today."""
    base = PartyFacts(
        user_id=1,
        kyc_tier=1,
        country="DE",
        completed_trades=0,
        account_age_days=1,
        traded_today=Money(EUR, 0),
    )
    return replace(base, **changes)


def trade(**changes: object) -> TradeFacts:
    """100 USDT for 92 euros."""
    base = TradeFacts(
        trade_id=1,
        market="USDT-EUR",
        quantity=Money(USDT, 100_000_000),
        amount=Money(EUR, 92_00),
        price="0.9200",
        maker_side="sell",
        method="sepa",
        buyer=party(user_id=2),
        seller=party(user_id=1),
        at=AT,
    )
    return replace(base, **changes)


def order(**changes: object) -> OrderFacts:
    """An order to buy 100 USDT."""
    base = OrderFacts(
        market="USDT-EUR",
        side="buy",
        base=USDT,
        quote=EUR,
        quantity=Money(USDT, 100_000_000),
        amount=Money(EUR, 92_00),
        methods=("sepa",),
        party=party(),
        at=AT,
    )
    return replace(base, **changes)
