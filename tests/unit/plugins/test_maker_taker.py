import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plugins.fee_models.maker_taker.model import MakerTaker, MakerTakerSettings
from portal.plugin_api import Money
from tests.unit.plugins.facts import USDT, trade

MODEL = MakerTaker()
QUANTITIES = st.integers(1, 2**62)
BPS = st.integers(0, 1000)
MINIMA = st.sampled_from(["0", "0.000001", "0.5", "25", "999999999.999999999"])


def quote(units: int, maker: int = 10, taker: int = 20, minimum: str = "0") -> tuple[int, int]:
    settings = MakerTakerSettings(maker_bps=maker, taker_bps=taker, min_fee=minimum)
    fees = MODEL.quote(trade(quantity=Money(USDT, units)), settings)
    return fees.maker.units, fees.taker.units


def test_rates_are_ten_thousandths_of_the_coins() -> None:
    assert quote(100_000_000) == (100_000, 200_000)


def test_a_fraction_of_a_unit_rounds_up() -> None:
    assert quote(1) == (1, 1)
    assert quote(10_001) == (11, 21)


def test_a_zero_rate_is_free_even_with_a_minimum() -> None:
    assert quote(100_000_000, maker=0, minimum="1") == (0, 1_000_000)


def test_the_minimum_lifts_small_fees_and_is_rounded_up_to_a_unit() -> None:
    assert quote(100_000_000, minimum="0.15") == (150_000, 200_000)
    assert quote(10_000, minimum="0.0000001") == (10, 20)


def test_the_explanation_lets_a_person_recompute_it() -> None:
    fees = MODEL.quote(trade(), MakerTakerSettings(maker_bps=10, taker_bps=25, min_fee="0.1"))
    assert fees.explanation == (
        "Maker 0.10 % of 100.000000 USDT = 0.100000; taker 0.25 % = 0.250000; rounded up; "
        "at least 0.1 USDT each."
    )


@given(QUANTITIES, BPS, BPS, MINIMA)
def test_no_fee_is_negative_or_more_than_the_trade(
    units: int, maker: int, taker: int, minimum: str
) -> None:
    for fee in quote(units, maker, taker, minimum):
        assert 0 <= fee <= units


@given(QUANTITIES, QUANTITIES, BPS, MINIMA)
def test_more_coins_never_cost_less(one: int, other: int, bps: int, minimum: str) -> None:
    small, large = sorted((one, other))
    assert quote(small, bps, bps, minimum)[0] <= quote(large, bps, bps, minimum)[0]


@given(QUANTITIES, BPS, BPS, MINIMA)
def test_a_higher_rate_never_costs_less(units: int, one: int, other: int, minimum: str) -> None:
    low, high = sorted((one, other))
    assert quote(units, low, low, minimum)[0] <= quote(units, high, high, minimum)[0]


@given(QUANTITIES, BPS)
def test_rounding_takes_less_than_one_unit(units: int, bps: int) -> None:
    fee, _ = quote(units, bps)
    exact_times_10000 = units * bps
    assert exact_times_10000 <= fee * 10_000 < exact_times_10000 + 10_000 or fee == units


@pytest.mark.parametrize(
    "wrong",
    [{"maker_bps": -1}, {"taker_bps": 1001}, {"min_fee": "-1"}, {"min_fee": "1e3"}, {"rate": 1}],
)
def test_settings_outside_the_limits_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MakerTakerSettings.model_validate(wrong)
