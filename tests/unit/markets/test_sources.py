"""Sources as data: what is accepted, what is refused and how it is named."""

import pytest

from portal.core.errors import InvalidInput
from portal.markets.feeds import Leg, Source
from portal.markets.sources import currencies, demo_sources, parse_sources, source_rows


def leg(**change):
    return {"exchange": "kraken", "symbol": "BTC/EUR", "operation": "multiply", **change}


def row(**change):
    return {"name": "kraken", "legs": [leg()], **change}


def test_sources_survive_the_round_trip():
    rows = demo_sources("USDT-EUR")
    assert source_rows(parse_sources(rows)) == rows


def test_the_operation_may_be_left_out():
    (source,) = parse_sources([{"name": "k", "legs": [{"exchange": "htx", "symbol": "btc/usdt"}]}])
    assert source.legs == (Leg("htx", "BTC/USDT", "multiply"),)


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ("x", "sources"),
        ([row()] * 13, "sources"),
        (["x"], "sources[0]"),
        ([row(name="")], "sources[0].name"),
        ([row(name=7)], "sources[0].name"),
        ([row(), row()], "sources[1].name"),
        ([row(legs=[])], "sources[0].legs"),
        ([row(legs=[leg()] * 3)], "sources[0].legs"),
        ([row(legs=[leg(), leg(exchange="no_such")])], "sources[0].legs[1].exchange"),
        ([row(legs=[leg(exchange=["kraken"])])], "sources[0].legs[0].exchange"),
        ([row(legs=[leg(symbol="BTCEUR")])], "sources[0].legs[0].symbol"),
        ([row(legs=[leg(operation="plus")])], "sources[0].legs[0].operation"),
        ([row(legs=["x"])], "sources[0].legs[0].exchange"),
    ],
)
def test_bad_sources_are_refused_by_the_name_of_the_entry(rows, field):
    with pytest.raises(InvalidInput) as refused:
        parse_sources(rows)
    assert refused.value.field == field


def test_legs_reduce_to_the_pair_they_price():
    assert currencies(Source("d", (Leg("kraken", "USDT/EUR"),))) == ("USDT", "EUR")
    assert currencies(Source("i", (Leg("kraken", "EUR/USDT", "divide"),))) == ("USDT", "EUR")
    cross = Source("c", (Leg("kraken", "BTC/EUR"), Leg("htx", "BTC/USDT", "divide")))
    assert currencies(cross) == ("USDT", "EUR")
    product = Source("p", (Leg("htx", "BTC/USDT"), Leg("kraken", "USDT/EUR")))
    assert currencies(product) == ("BTC", "EUR")


def test_legs_that_make_no_pair_are_an_error():
    with pytest.raises(ValueError, match="per"):
        currencies(Source("c", (Leg("kraken", "BTC/EUR"), Leg("htx", "ETH/USDT"))))


@pytest.mark.parametrize(("market", "pair"), [("USDT-EUR", "USDT/EUR"), ("BTC-EUR", "BTC/EUR")])
def test_the_demo_has_three_ways_to_each_price_and_htx_in_one(market, pair):
    sources = parse_sources(demo_sources(market))
    assert len(sources) == 3
    assert {"/".join(currencies(source)) for source in sources} == {pair}
    assert "htx" in {leg.exchange for source in sources for leg in source.legs}
