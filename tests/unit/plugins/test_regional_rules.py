from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from plugins.compliance.regional_rules.rules import RegionalRules
from plugins.compliance.regional_rules.settings import RegionalSettings
from portal.plugin_api import Decision, Money, Verdict
from tests.unit.plugins.facts import EUR, order, party, trade

RULES = RegionalRules()
SETTINGS = RegionalSettings()


def check(**changes: object) -> Decision:
    return RULES.check_trade(trade(**changes), SETTINGS)


def euros(amount: int) -> Money:
    return Money(EUR, amount * 100)


def test_an_ordinary_trade_is_allowed() -> None:
    assert check() == Decision.allow()


@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_a_blocked_country_is_denied_by_its_name(side: str) -> None:
    decision = check(**{side: party(country="IR")})
    assert decision.verdict is Verdict.DENY
    assert "Iran" in decision.reason
    assert "FATF" in decision.reason


def test_a_block_counts_from_its_day() -> None:
    before = datetime(2022, 10, 20, 23, 59, tzinfo=UTC)
    settings = SETTINGS.model_copy(
        update={
            "limits": (SETTINGS.limits[0].model_copy(update={"effective_date": before.date()}),)
        }
    )
    facts = trade(buyer=party(country="MM"), at=before)
    assert RULES.check_trade(facts, settings).verdict is Verdict.ALLOW
    on_the_day = trade(buyer=party(country="MM"), at=datetime(2022, 10, 21, tzinfo=UTC))
    assert RULES.check_trade(on_the_day, settings).verdict is Verdict.DENY


@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_an_unchecked_identity_is_denied(side: str) -> None:
    assert check(**{side: party(kyc_tier=0)}) == Decision.deny("Identity not checked yet.")


def test_an_unknown_country_is_held() -> None:
    assert check(buyer=party(country="")).verdict is Verdict.HOLD


def test_the_limit_per_trade_itself_is_allowed_and_one_cent_more_is_held() -> None:
    assert check(amount=euros(1000)).verdict is Verdict.ALLOW
    over = check(amount=Money(EUR, 1000_01))
    assert over.verdict is Verdict.HOLD
    assert "1000.01 EUR is over the 1000.00 EUR" in over.reason


def test_what_was_traded_today_counts() -> None:
    assert check(amount=euros(1000), buyer=party(traded_today=euros(4000))).verdict is Verdict.ALLOW
    decision = check(amount=euros(1000), buyer=party(traded_today=Money(EUR, 4000_01)))
    assert decision.verdict is Verdict.HOLD
    assert "per day" in decision.reason


def test_a_higher_tier_has_the_highest_listed_limit_not_above_it() -> None:
    both = {"buyer": party(kyc_tier=7), "seller": party(kyc_tier=7)}
    assert check(amount=euros(100_000), **both).verdict is Verdict.ALLOW
    assert check(amount=euros(100_001), **both).verdict is Verdict.HOLD


def test_a_currency_without_a_limit_is_held() -> None:
    settings = SETTINGS.model_copy(update={"limits": ()})
    assert RULES.check_trade(trade(), settings).verdict is Verdict.HOLD


def test_denial_of_one_side_outweighs_a_hold_of_the_other() -> None:
    decision = check(amount=euros(2000), seller=party(country="KP"))
    assert decision.verdict is Verdict.DENY


def test_an_order_larger_than_one_trade_may_be_placed() -> None:
    assert RULES.check_order(order(amount=euros(50_000)), SETTINGS).verdict is Verdict.ALLOW


@pytest.mark.parametrize("wrong", [{"country": "CU"}, {"kyc_tier": 0}])
def test_an_order_is_checked_for_place_and_identity(wrong: dict[str, object]) -> None:
    rule = SETTINGS.blocked[0].model_copy(update={"country": "CU", "place": "Cuba"})
    settings = SETTINGS.model_copy(update={"blocked": (rule,)})
    assert RULES.check_order(order(party=party(**wrong)), settings).verdict is Verdict.DENY


def test_a_day_limit_below_the_trade_limit_is_refused() -> None:
    row = SETTINGS.limits[0].model_dump() | {"per_day": "1"}
    with pytest.raises(ValidationError, match="below the limit per trade"):
        RegionalSettings.model_validate({"limits": [row]})


def test_every_rule_needs_its_source_and_date() -> None:
    for missing in ("source", "effective_date"):
        row = SETTINGS.blocked[0].model_dump()
        del row[missing]
        with pytest.raises(ValidationError, match=missing):
            RegionalSettings.model_validate({"blocked": [row]})
