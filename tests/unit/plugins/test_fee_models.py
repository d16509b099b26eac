"""The models that charge each side for itself: volume tiers, flat, promotions, composed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plugins.fee_models.composed.model import Composed, ComposedSettings, Row
from plugins.fee_models.flat.model import CoinFee, Flat, FlatSettings
from plugins.fee_models.maker_taker.model import MakerTaker
from plugins.fee_models.promotions.model import Promotion, Promotions, PromotionsSettings
from plugins.fee_models.volume_tiers.model import Tier, VolumeTiers, VolumeTiersSettings
from portal.core.errors import Conflict
from portal.plugin_api import (
    Asset,
    FeeModel,
    Fees,
    InvalidInput,
    Money,
    ProviderSettings,
    SideFeeModel,
    rate_fee,
)
from portal.plugin_host import composing
from tests.unit.plugins.facts import AT, EUR, USDT, party, trade

UNITS = st.integers(1, 2**62)
AMOUNTS = st.sampled_from(["0", "0.000001", "0.5", "25", "999999999.999999999"])
BTC = Asset("BTC", 8)


def sale(name: str = "Spring", **changes: Any) -> Promotion:
    base: dict[str, Any] = {
        "name": name,
        "starts": AT - timedelta(days=1),
        "ends": AT + timedelta(days=1),
        "discount": 50,
    }
    return Promotion(**(base | changes))


def promoted(*promotions: Promotion, **facts: Any) -> Fees:
    return Promotions().quote(trade(**facts), PromotionsSettings(promotions=promotions))


def tiered(volume: str | None, **settings: Any) -> Fees:
    traded = None if volume is None else Money.parse(volume, EUR)
    facts = trade(seller=party(traded_30d=traded))
    return VolumeTiers().quote(facts, VolumeTiersSettings(**settings))


def test_each_side_pays_the_tier_of_its_own_thirty_days() -> None:
    fees = VolumeTiers().quote(
        trade(
            seller=party(traded_30d=Money(EUR, 5_000_000)),
            buyer=party(traded_30d=Money(EUR, 4_999_999)),
        ),
        VolumeTiersSettings(),
    )
    assert (fees.maker.text(), fees.taker.text()) == ("0.080000", "0.200000")
    assert fees.explanation == (
        "Maker 0.08 % of 100.000000 USDT = 0.080000 (rounded up), tier from 50000: 50000.00 EUR "
        "in 30 days; taker 0.20 % of 100.000000 USDT = 0.200000 (rounded up), base rate: "
        "49999.99 EUR in 30 days."
    )


def test_an_unknown_volume_or_another_currency_pays_the_base_rate() -> None:
    assert tiered(None).maker.text() == "0.100000"
    pound = Money(Asset("GBP", 2), 10**12)
    fees = VolumeTiers().quote(trade(seller=party(traded_30d=pound)), VolumeTiersSettings())
    assert fees.maker.text() == "0.100000"


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_who_traded_more_never_pays_more(one: int, other: int) -> None:
    little, much = sorted((one, other))
    fees = [tiered(Money(EUR, cents).text()) for cents in (little, much)]
    assert fees[1].maker <= fees[0].maker


def test_a_tier_that_costs_more_than_the_one_below_is_refused() -> None:
    dear = Tier(currency="EUR", from_volume="10", maker_bps=11, taker_bps=20)
    with pytest.raises(ValidationError, match="the tier from 10 EUR costs more"):
        VolumeTiersSettings(tiers=(dear,))


def test_a_flat_fee_is_the_coins_amount_and_never_more_than_the_trade() -> None:
    fees = Flat().quote(trade(), FlatSettings())
    assert (fees.maker.text(), fees.taker.text()) == ("0.500000", "1.000000")
    small = Flat().quote(trade(quantity=Money(USDT, 700_000)), FlatSettings())
    assert (small.maker.units, small.taker.units) == (500_000, 700_000)
    assert small.explanation == (
        "Maker flat 0.500000 USDT; taker flat 1.000000 USDT, never more than the trade = 0.700000."
    )


def test_a_coin_without_a_flat_fee_is_refused_by_name_not_traded_for_nothing() -> None:
    only = FlatSettings(fees=(CoinFee(coin="USDT", maker="1", taker="1"),))
    with pytest.raises(InvalidInput, match="No flat fee is set for BTC"):
        Flat().quote(trade(quantity=Money(BTC, 1)), only)


def test_a_promotion_counts_from_its_first_moment_and_not_at_its_end() -> None:
    starting, over = sale(starts=AT), sale(ends=AT)
    assert promoted(starting).maker.text() == "0.050000"
    assert promoted(over).maker.text() == "0.100000"


def test_a_groups_promotion_is_for_its_members() -> None:
    fees = promoted(sale(group="pilots"), seller=party(groups=("pilots",)))
    assert (fees.maker.text(), fees.taker.text()) == ("0.050000", "0.200000")
    assert fees.explanation == (
        "Maker 0.10 % of 100.000000 USDT, 50 % off = 0.050000 (rounded up), Spring; "
        "taker 0.20 % of 100.000000 USDT = 0.200000 (rounded up)."
    )


def test_the_best_promotion_counts_and_they_do_not_add_up() -> None:
    assert promoted(sale(), sale("Big", discount=60)).taker.text() == "0.080000"


def test_a_promotion_needs_a_zone_and_an_end_after_its_start() -> None:
    with pytest.raises(ValidationError):
        sale(starts="2026-01-01T00:00:00")
    with pytest.raises(ValidationError, match="ends before it starts"):
        sale(ends=datetime(2020, 1, 1, tzinfo=UTC))


def find(slug: str) -> tuple[FeeModel, ProviderSettings]:
    models: list[FeeModel] = [VolumeTiers(), Flat(), MakerTaker(), Composed()]
    model = next(one for one in models if one.slug == slug)
    row = Row(model="flat")
    return model, ComposedSettings(rows=(row,)) if slug == "composed" else model.default_settings()


def composed(*rows: Row, **facts: Any) -> Fees:
    return composing.quote(Composed(), ComposedSettings(rows=rows), trade(**facts), find)


def test_the_first_row_that_fits_a_side_says_its_model() -> None:
    rows = (
        Row(methods=("pix",), model="volume_tiers"),
        Row(markets=("USDT-EUR",), countries=("FR",), model="flat"),
        Row(countries=("DE",), model="maker_taker"),
    )
    fees = composed(*rows, buyer=party(country="FR"), seller=party(country="DE"))
    assert (fees.maker.text(), fees.taker.text()) == ("0.100000", "1.000000")
    assert fees.explanation == (
        "Maker 0.100000, of: Maker 0.10 % of 100.000000 USDT = 0.100000; taker 0.20 % = 0.200000; "
        "rounded up [Maker-taker]; taker flat 1.000000 USDT [Flat]."
    )
    assert "[" not in composed(*rows[:2]).explanation


def test_a_model_that_leaves_the_side_on_again_is_refused() -> None:
    with pytest.raises(Conflict, match="Composed leaves the fee to Composed"):
        composed(Row(model="composed"))


@pytest.mark.parametrize("model", [VolumeTiers(), Flat(), Promotions(), Composed()])
@given(units=UNITS)
def test_no_fee_is_negative_or_more_than_the_trade(model: SideFeeModel, units: int) -> None:
    fees = model.quote(trade(quantity=Money(USDT, units)), model.default_settings())
    for fee in (fees.maker, fees.taker):
        assert fee.asset == USDT
        assert 0 <= fee.units <= units


@pytest.mark.parametrize("model", [VolumeTiers(), Flat(), Promotions(), Composed()])
@given(one=UNITS, other=UNITS)
def test_more_coins_never_cost_less(model: SideFeeModel, one: int, other: int) -> None:
    small, large = (
        model.quote(trade(quantity=Money(USDT, units)), model.default_settings())
        for units in sorted((one, other))
    )
    assert small.maker <= large.maker
    assert small.taker <= large.taker


@given(UNITS, st.integers(0, 1000), st.integers(0, 100))
def test_rounding_takes_less_than_one_unit(units: int, bps: int, discount: int) -> None:
    fee = rate_fee(Money(USDT, units), bps, discount=discount).fee.units
    exact = units * bps * (100 - discount)
    assert exact <= fee * 1_000_000 < exact + 1_000_000


@given(UNITS, st.integers(1, 1000), AMOUNTS, AMOUNTS)
def test_floor_and_cap_bound_the_fee(units: int, bps: int, one: str, other: str) -> None:
    floor, cap = sorted((one, other), key=float)
    fee = rate_fee(Money(USDT, units), bps, floor=floor, cap=cap).fee
    if cap != "0":
        assert fee.units <= float(cap) * 1e6 + 1
    assert fee.units >= min(units, float(floor) * 1e6 - 1)


def test_a_cap_below_its_floor_is_refused() -> None:
    for settings in (VolumeTiersSettings, PromotionsSettings):
        with pytest.raises(ValidationError, match="below the smallest"):
            settings(min_fee="2", max_fee="1")
