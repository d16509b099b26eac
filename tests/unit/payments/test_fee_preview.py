import csv

from hypothesis import given
from hypothesis import strategies as st

from plugins.fee_models.flat.model import Flat, FlatSettings
from portal.core.money import Asset, Money
from portal.payments.fee_preview import PastTrade, compare, preview_csv, totals
from portal.plugin_api import Fees, TradeFacts
from tests.unit.plugins.facts import USDT, trade

BTC, DOGE = Asset("BTC", 8), Asset("DOGE", 8)


def flat(facts: TradeFacts) -> Fees:
    return Flat().quote(facts, FlatSettings())


def past(number: int, coin: Asset, units: int, paid: int) -> PastTrade:
    return PastTrade(trade(trade_id=number, quantity=Money(coin, units)), Money(coin, paid))


TRADES = [
    past(1, USDT, 100_000_000, 300_000),
    past(2, USDT, 100_000_000, 2_000_000),
    past(3, BTC, 10**8, 0),
    past(4, DOGE, 10**8, 7),
]


def test_each_trade_has_its_old_and_its_new_fee_and_coins_have_totals_of_their_own() -> None:
    rows = compare(TRADES, flat)
    assert [row.new and row.new.units for row in rows] == [1_500_000, 1_500_000, 1_500, None]
    assert [(one.coin.code, one.trades, one.old.units, one.new.units) for one in totals(rows)] == [
        ("BTC", 1, 0, 1_500),
        ("USDT", 2, 2_300_000, 3_000_000),
    ]


def test_a_fee_that_can_not_be_computed_is_said_and_not_counted_as_zero() -> None:
    row = compare(TRADES, flat)[3]
    assert row.words == "No flat fee is set for DOGE."
    last = list(csv.reader(preview_csv([row]).splitlines()))[1]
    assert last == ["4", "USDT-EUR", "DOGE", "0.00000007", "", "", "No flat fee is set for DOGE."]


def test_the_table_tells_the_difference_with_its_sign() -> None:
    table = list(csv.DictReader(preview_csv(compare(TRADES, flat)).splitlines()))
    assert [row["difference"] for row in table[:3]] == ["1.200000", "-0.500000", "0.00001500"]


@given(st.lists(st.tuples(st.integers(1, 10**12), st.integers(0, 10**9)), max_size=20))
def test_totals_are_the_sums_of_the_rows(pairs: list[tuple[int, int]]) -> None:
    rows = compare([past(1, USDT, units, paid) for units, paid in pairs], flat)
    assert sum(one.old.units for one in totals(rows)) == sum(paid for _, paid in pairs)
    assert sum(one.new.units for one in totals(rows)) == sum(
        row.new.units for row in rows if row.new
    )
