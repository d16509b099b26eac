"""The rules that make one price of many answers."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.markets.quotes import Policy, Reading, judge, median

NOW = 1_800_000_000_000
POLICY = Policy(staleness_ms=60_000, outlier_bps=200, min_sources=2)


def reading(price, *, name="a", age_ms=1_000, stamp_age_ms=None, problem=None):
    at_ms = None if stamp_age_ms is None else NOW - stamp_age_ms
    value = None if price is None else Decimal(price)
    return Reading(name, NOW - age_ms, value, at_ms, problem)


def decide(*readings, policy=POLICY, places=4):
    return judge(readings, policy, price_places=places, now_ms=NOW)


def test_the_median_of_three_agreeing_sources_is_the_price():
    judged = decide(reading("0.9150"), reading("0.9152"), reading("0.9148"))
    assert judged.price_ticks == 9150
    assert judged.reason is None
    assert [verdict.reason for verdict in judged.verdicts] == ["used"] * 3


def test_an_even_number_of_sources_gives_the_mean_of_the_middle_two_rounded_half_even():
    assert decide(reading("0.91495"), reading("0.91505")).price_ticks == 9150
    assert decide(reading("0.9148"), reading("0.9149")).price_ticks == 9148  # 9148.5
    assert decide(reading("0.9149"), reading("0.9150")).price_ticks == 9150  # 9149.5


def test_a_lying_source_is_cut_and_named():
    judged = decide(reading("0.915"), reading("0.916"), reading("1.144", name="liar"))
    assert judged.price_ticks == 9155
    assert judged.verdicts[2].used is False
    assert judged.verdicts[2].reason == "outlier: 24.89 % from the median, limit 2 %"


def test_two_sources_that_disagree_give_no_price():
    judged = decide(reading("1"), reading("2"))
    assert judged.price_ticks is None
    assert judged.reason == "Sources disagree: 0 of 2 within 2 % of the median, 2 needed."


def test_a_ticker_older_than_the_limit_is_stale_even_when_just_fetched():
    judged = decide(reading("1", stamp_age_ms=61_000), reading("1"), reading("1"))
    assert judged.verdicts[0].reason == "stale: 61 s old, limit 60 s"
    assert judged.price_ticks == 10_000


def test_a_source_without_its_own_time_goes_stale_by_the_time_of_fetching():
    assert decide(reading("1", age_ms=60_001), reading("1"), reading("1")).verdicts[0].used is False


def test_exactly_at_the_limits_is_still_used():
    judged = decide(reading("1", stamp_age_ms=60_000), reading("1.02"), reading("1"))
    assert [verdict.used for verdict in judged.verdicts] == [True, True, True]


def test_a_ticker_from_the_future_is_refused():
    judged = decide(Reading("a", NOW + 9_000, Decimal(1), NOW + 9_000), reading("1"), reading("1"))
    assert judged.verdicts[0].reason == "from the future: 9 s ahead"


def test_too_few_fresh_sources_say_how_many_answered():
    judged = decide(reading("1"), reading(None, problem="timed out"), reading(None, problem="x"))
    assert judged.price_ticks is None
    assert judged.observed_ms is None
    assert judged.reason == "No fresh price: 1 of 3 sources answered, 2 needed."
    assert judged.verdicts[1].reason == "timed out"


def test_a_market_without_sources_has_no_price_and_says_so():
    assert decide().reason == "No price: the market has no price sources."


@pytest.mark.parametrize("bad", ["0", "-1", "NaN", "Infinity", "sNaN", "1E+999", "1E-999"])
def test_what_is_not_a_price_is_refused(bad):
    judged = decide(reading(bad), reading("1"), reading("1"))
    assert judged.price_ticks == 10_000
    assert judged.verdicts[0].reason.startswith("not a price")


def test_a_median_below_one_tick_is_no_price():
    judged = decide(reading("0.00001"), reading("0.00001"))
    assert judged.price_ticks is None
    assert "ticks" in judged.reason


def test_the_quote_is_as_old_as_the_oldest_ticker_used():
    judged = decide(
        reading("1", stamp_age_ms=30_000), reading("1", age_ms=5_000), reading("9", age_ms=50_000)
    )
    assert judged.observed_ms == NOW - 30_000


def test_the_median_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no prices"):
        median([])


prices = st.decimals("0.0001", "100000", places=6)
any_reading = st.builds(
    Reading,
    source=st.text(max_size=5),
    fetched_ms=st.integers(NOW - 200_000, NOW + 20_000),
    price=st.none() | st.decimals(allow_nan=True, allow_infinity=True),
    at_ms=st.none() | st.integers(-(10**15), 10**15),
    problem=st.none() | st.text(max_size=5),
)


@given(st.lists(any_reading, max_size=8), st.integers(0, 12))
def test_whatever_sources_answer_there_is_a_price_or_a_reason_never_both(readings, places):
    judged = decide(*readings, places=places)
    assert (judged.price_ticks is None) == (judged.reason is not None)
    assert (judged.price_ticks is None) == (judged.observed_ms is None)
    assert [verdict.reading for verdict in judged.verdicts] == readings
    assert all(verdict.reason for verdict in judged.verdicts)


@given(st.lists(prices, min_size=2, max_size=7), st.randoms())
def test_the_order_of_sources_does_not_matter(values, random):
    shuffled = random.sample(values, len(values))
    first = decide(*[reading(value) for value in values])
    again = decide(*[reading(value) for value in shuffled])
    assert first.price_ticks == again.price_ticks


@given(st.lists(prices, min_size=2, max_size=7))
def test_the_price_lies_between_the_lowest_and_highest_source_used(values):
    judged = decide(*[reading(value) for value in values], places=6)
    if judged.price_ticks is not None:
        used = [verdict.reading.price for verdict in judged.verdicts if verdict.used]
        assert min(used) <= Decimal(judged.price_ticks).scaleb(-6) <= max(used)


@given(
    prices,
    st.lists(st.integers(-50, 50), min_size=2, max_size=6),
    st.decimals("0.000001", "100000000", places=6),
)
def test_one_liar_never_moves_the_price_out_of_what_the_honest_say(level, noise, lie):
    honest = [level * (10_000 + bps) / 10_000 for bps in noise]
    judged = decide(*[reading(value) for value in honest], reading(lie), places=9)
    if len(honest) >= 3:
        assert judged.price_ticks is not None
    if judged.price_ticks is not None and len(honest) >= 3:
        tick = Decimal(1).scaleb(-9)
        low, high = min(honest) * Decimal("0.98"), max(honest) * Decimal("1.02")
        assert low - tick <= Decimal(judged.price_ticks) * tick <= high + tick


@given(st.lists(prices, min_size=1, max_size=9))
def test_half_of_the_prices_are_on_each_side_of_the_median(values):
    middle = median(values)
    assert 2 * sum(value <= middle for value in values) >= len(values)
    assert 2 * sum(value >= middle for value in values) >= len(values)
