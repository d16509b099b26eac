"""A market's configuration: every way to get it wrong is named."""

import pytest

from portal.core.errors import Conflict, InvalidInput
from portal.core.money import Asset
from portal.markets.rules import check_change, parse_market
from portal.markets.sources import demo_sources

ASSETS = {"USDT": Asset("USDT", 6), "BTC": Asset("BTC", 8), "EUR": Asset("EUR", 2)}


def values(**change):
    return {
        "id": "USDT-EUR",
        "base": "USDT",
        "quote": "EUR",
        "price_places": 4,
        "lot": "0.01",
        "min_trade": "10",
        "max_trade": "5000",
        "escrow": "evm",
        "payment_seconds": 1800,
        "release_seconds": 1800,
        "fee_model": "maker_taker",
        "methods": ["sepa"],
        "sources": demo_sources("USDT-EUR"),
        **change,
    }


INSTANT = {"settlement": "instant", "escrow": "ledger", "methods": ["ledger"]}


def parse(**change):
    return parse_market(values(**change), ASSETS, min_sources=2)


def test_amounts_become_ledger_units_and_the_rest_has_defaults():
    market = parse()
    assert (market.lot, market.min_trade, market.max_trade) == (10_000, 10_000_000, 5_000_000_000)
    assert (market.status, market.protection_bps, market.max_fee_bps) == ("open", 500, 100)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("id", "usdt eur"),
        ("id", None),
        ("base", "XYZ"),
        ("base", ["USDT"]),
        ("quote", "USDT"),
        ("price_places", 13),
        ("price_places", "4"),
        ("price_places", True),
        ("lot", "0"),
        ("lot", "-0.01"),
        ("lot", 0.01),
        ("lot", "0.0000001"),
        ("lot", None),
        ("min_trade", "10.001"),
        ("max_trade", "5"),
        ("max_trade", "99999999999999999999"),
        ("escrow", "trust me"),
        ("status", "burning"),
        ("payment_seconds", 0),
        ("payment_seconds", 10**9),
        ("release_seconds", None),
        ("protection_bps", 10_000),
        ("max_fee_bps", -1),
        ("fee_model", "Maker Taker"),
        ("methods", []),
        ("methods", "sepa"),
        ("methods", ["sepa", "sepa"]),
        ("methods", [1]),
        ("methods", ["ledger"]),
        ("methods", ["sepa", "ledger"]),
        ("settlement", "tomorrow"),
        ("settlement", None),
        ("band_bps", -1),
        ("band_bps", 10_000),
        ("min_rest_ms", 60_001),
        ("min_rest_ms", 0.5),
        ("max_open_orders", -1),
        ("max_open_orders", 10**9),
        ("sources", "kraken"),
        ("sources", demo_sources("USDT-EUR")[:1]),
    ],
)
def test_each_bad_field_is_named(field, bad):
    with pytest.raises(InvalidInput) as refused:
        parse(**{field: bad})
    assert refused.value.field == field


def test_sources_of_another_pair_are_refused():
    with pytest.raises(InvalidInput, match="BTC/EUR, not USDT/EUR") as refused:
        parse(sources=demo_sources("BTC-EUR"))
    assert refused.value.field == "sources[0].legs"


def test_a_market_of_fixed_prices_only_needs_no_sources():
    assert parse(sources=[]).sources == []


def test_a_market_that_settles_at_once_is_settled_in_the_ledger_by_the_ledger():
    assert parse(**INSTANT).methods == ["ledger"]
    for field, value in (("escrow", "evm"), ("methods", ["sepa"]), ("methods", ["ledger", "sepa"])):
        with pytest.raises(InvalidInput) as refused:
            parse(**(INSTANT | {field: value}))
        assert refused.value.field == field


def test_windows_may_change_but_what_gives_prices_their_meaning_may_not():
    before = parse().as_dict()
    check_change(before, parse(payment_seconds=3600, lot="0.1", band_bps=500, status="auction"))
    changes = ({"price_places": 2}, {"escrow": "ledger"}, {**INSTANT, "escrow": "ledger"})
    for change, field in zip(changes, ("price_places", "escrow", "settlement"), strict=True):
        known = before | ({"escrow": "ledger"} if field == "settlement" else {})
        with pytest.raises(Conflict) as refused:
            check_change(known, parse(**change))
        assert refused.value.field == field
