"""Money at the edges: what is read, what is refused, and how it is written."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import InvalidInput
from portal.core.money import Asset, Money, parse_units
from portal.core.units import MAX_UNITS, bps_up, quote_units, too_many

USDT = Asset("USDT", 6)
# Around the powers of two at which compiled code counts in another way.
_SIZES = st.one_of(
    st.integers(0, MAX_UNITS),
    st.builds(lambda bits, away: max(0, 2**bits + away), st.integers(0, 63), st.integers(-2, 2)),
)
_PLACES = st.integers(0, 18)


@given(st.integers(-MAX_UNITS, MAX_UNITS), st.integers(0, 18))
def test_writing_and_reading_gives_the_same_units(units: int, places: int) -> None:
    asset = Asset("X", places)
    assert Money.parse(Money(asset, units).text(), asset).units == units


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1e5",
        "NaN",
        "inf",
        "1,5",
        "1.",
        ".5",
        "+1",
        "--1",
        "1_000",
        "١",
        "0x10",
        "1" * 31,
        "9223372036854.775808",
        "0.0000001",
        None,
        5,
        1.5,
        True,
    ],
)
def test_anything_but_a_plain_decimal_is_refused_with_the_field(text: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        Money.parse(text, USDT, field="quantity")  # type: ignore[arg-type]
    assert caught.value.field == "quantity"


def test_trailing_zeros_do_not_count_as_places() -> None:
    assert parse_units("1.5000000000", 2, field="price") == 150


def test_different_assets_never_add() -> None:
    with pytest.raises(ValueError, match="mixed"):
        Money(USDT, 1) + Money(Asset("EUR", 2), 1)


@given(st.integers(1, 10**15), st.integers(1, 10**9))
def test_what_a_buyer_pays_is_rounded_up_by_less_than_a_cent(quantity: int, price: int) -> None:
    paid = quote_units(quantity, price, base_places=6, price_places=4, quote_places=2)
    exact_times_10_8 = quantity * price
    assert 0 <= paid * 10**8 - exact_times_10_8 < 10**8


@given(st.integers(0, 10**18), st.integers(0, 10_000))
def test_a_reserve_is_never_short(units: int, bps: int) -> None:
    assert bps_up(units, bps) * 10_000 >= units * bps


@given(_SIZES, _SIZES, _PLACES, _PLACES, _PLACES)
def test_a_cost_is_exact_at_any_size(
    quantity: int, price: int, base: int, price_places: int, quote: int
) -> None:
    paid = quote_units(
        quantity, price, base_places=base, price_places=price_places, quote_places=quote
    )
    assert paid == ceil(Fraction(quantity * price * 10**quote, 10 ** (base + price_places)))


@given(_SIZES, st.integers(0, 20_000))
def test_a_share_is_exact_at_any_size(units: int, bps: int) -> None:
    assert bps_up(units, bps) == ceil(Fraction(units * bps, 10_000))


@given(_SIZES, st.sampled_from((1, -1)))
def test_what_can_be_counted_ends_at_64_bits(units: int, sign: int) -> None:
    assert too_many(units * sign) == (units > MAX_UNITS)
