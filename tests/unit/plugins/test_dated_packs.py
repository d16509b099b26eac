from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plugins.compliance.dated_packs.__main__ import main
from plugins.compliance.dated_packs.changes import Change, changes_on, days_of_change
from plugins.compliance.dated_packs.loading import BUNDLED, bundled, load_pack
from plugins.compliance.dated_packs.rules import (
    ALL_PACKS,
    BlockedPerson,
    DatedPacks,
    DatedPacksSettings,
    in_force,
)
from plugins.compliance.dated_packs.schema import Pack
from portal.payments.rules_preview import simulate
from portal.plugin_api import Asset, Decision, InvalidInput, Money, Verdict, WalletFacts
from tests.unit.plugins.facts import AT, EUR, order, party, trade

RULES = DatedPacks()
SETTINGS = DatedPacksSettings()
OTHERS = WalletFacts("0x01", self_hosted=False)
OWN = WalletFacts("0x02", self_hosted=True)
GOOD = (BUNDLED / "sg.yaml").read_text()


def check(**changes: Any) -> Decision:
    return RULES.check_trade(trade(**changes), SETTINGS)


def of(country: str, amount: str, currency: str, **changes: Any) -> Decision:
    """A trade between two people of one place, both of the highest tier."""
    asset = Asset(currency, 0 if currency == "JPY" else 2)
    person = party(country=country, kyc_tier=3, account_age_days=99, traded_today=Money(asset, 0))
    money = Money.parse(amount, asset)
    return check(buyer=person, seller=replace(person, user_id=7), amount=money, **changes)


def test_an_ordinary_trade_is_allowed() -> None:
    assert check() == Decision.allow()


def test_every_place_the_portal_speaks_of_has_a_pack_and_its_rules_have_sources() -> None:
    assert sorted(bundled()) == sorted(ALL_PACKS)
    for pack in bundled().values():
        assert all(rule.source and rule.effective_date for rule in pack.rules)
        assert pack.name == "cn" or any(rule.kind == "record_keeping" for rule in pack.rules)


@pytest.mark.parametrize("country", ["CN", "KP", "IR", "MM"])
@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_blocked_places_are_denied_for_orders_and_trades(country: str, side: str) -> None:
    there = party(country=country)
    assert check(**{side: there}).verdict is Verdict.DENY
    assert RULES.check_order(order(party=there), SETTINGS).verdict is Verdict.DENY


def test_the_answer_is_that_of_the_day() -> None:
    before = datetime(2022, 10, 20, 23, 59, tzinfo=UTC)
    there = party(country="MM")
    assert check(buyer=there, at=before) == Decision.allow()
    assert check(buyer=there, at=datetime(2022, 10, 21, tzinfo=UTC)).verdict is Verdict.DENY


def test_an_unknown_country_is_held_and_an_unchecked_identity_denied() -> None:
    assert check(buyer=party(country="")).verdict is Verdict.HOLD
    assert check(buyer=party(kyc_tier=0)) == Decision.deny("Identity not checked yet.")


TRAVEL = [
    ("DE", "0.01", "EUR", True),
    ("US", "2999.99", "USD", True),  # The baseline asks from 1,000 on.
    ("US", "999.99", "USD", False),
    ("SG", "1.00", "SGD", True),
    ("HK", "1.00", "HKD", True),
    ("JP", "1", "JPY", True),
    ("AE", "3500.00", "AED", True),  # AED is not among the baseline's currencies: it counts.
    ("CA", "999.99", "EUR", False),
    ("CA", "1000.00", "EUR", True),
]


@pytest.mark.parametrize(("country", "amount", "currency", "asked"), TRAVEL)
def test_travel_rule_data_is_asked_from_each_places_threshold_on(
    country: str, amount: str, currency: str, asked: bool
) -> None:
    decision = of(country, amount, currency, wallet=OTHERS)
    assert (decision.verdict is Verdict.HOLD) == asked
    assert ("Travel-rule data is missing" in decision.reason) == asked
    sent = replace(OTHERS, travel_rule_sent=True)
    assert of(country, amount, currency, wallet=sent) == Decision.allow()
    assert of(country, amount, currency) == Decision.allow()


def test_an_own_wallet_in_the_eu_is_proved_over_a_thousand_euros_not_at_it() -> None:
    assert of("DE", "1000.00", "EUR", wallet=OWN) == Decision.allow()
    over = of("DE", "1000.01", "EUR", wallet=OWN)
    assert over.verdict is Verdict.HOLD
    assert "2023/1113" in over.reason
    assert of("DE", "1000.01", "EUR", wallet=replace(OWN, proved=True)) == Decision.allow()


def test_the_uk_lets_new_people_wait_a_day() -> None:
    new = party(country="GB", account_age_days=0)
    assert check(buyer=new).verdict is Verdict.DENY
    assert "COBS" in check(buyer=new).reason
    assert check(buyer=replace(new, account_age_days=1)) == Decision.allow()


def test_switzerland_sums_thirty_days_before_it_asks_for_identity() -> None:
    franc = Asset("CHF", 2)
    swiss = party(country="CH", traded_today=Money(franc, 0), traded_30d=Money(franc, 900_00))
    both = {"buyer": swiss, "seller": replace(swiss, user_id=7)}
    assert check(amount=Money(franc, 99_99), **both) == Decision.allow()
    assert check(amount=Money(franc, 100_00), **both).verdict is Verdict.DENY


def test_a_limit_is_allowed_and_a_cent_more_is_held() -> None:
    assert check(amount=Money(EUR, 1000_00)) == Decision.allow()
    assert check(amount=Money(EUR, 1000_01)).verdict is Verdict.HOLD
    day = party(traded_today=Money(EUR, 4950_00))
    assert check(buyer=day, amount=Money(EUR, 50_00)) == Decision.allow()
    assert check(buyer=day, amount=Money(EUR, 50_01)).verdict is Verdict.HOLD


def test_a_currency_without_a_limit_is_held() -> None:
    peso = Asset("MXN", 2)
    someone = party(traded_today=Money(peso, 0))
    decision = check(amount=Money(peso, 1), buyer=someone, seller=someone)
    assert decision == Decision.hold("No limit is set for tier 1 in MXN.")


def test_a_blocked_person_is_denied_while_blocked() -> None:
    blocked = BlockedPerson(
        user_id=2, source="Court order", effective_date=AT.date(), end_date=date(2026, 3, 3)
    )
    settings = DatedPacksSettings(blocked=(blocked,))
    assert RULES.check_trade(trade(), settings).verdict is Verdict.DENY
    later = trade(at=datetime(2026, 3, 3, tzinfo=UTC))
    assert RULES.check_trade(later, settings) == Decision.allow()


SEVERITY = [Verdict.ALLOW, Verdict.HOLD, Verdict.DENY]
CENTS = st.integers(1, 10**9)
COUNTRIES = st.sampled_from(["DE", "GB", "US", "CH", "IN", "BR", "CA", "CN", ""])


@given(CENTS, CENTS, COUNTRIES, st.integers(0, 4), st.sampled_from([None, OWN, OTHERS]))
def test_more_money_is_never_judged_more_mildly(
    one: int, other: int, country: str, tier: int, wallet: WalletFacts | None
) -> None:
    person = party(country=country, kyc_tier=tier)
    small, large = (
        check(amount=Money(EUR, cents), buyer=person, wallet=wallet).verdict
        for cents in sorted((one, other))
    )
    assert SEVERITY.index(small) <= SEVERITY.index(large)


@given(CENTS, COUNTRIES, st.integers(0, 4), st.integers(0, 4))
def test_a_higher_tier_is_never_judged_more_strictly(
    cents: int, country: str, one: int, other: int
) -> None:
    low, high = (
        check(amount=Money(EUR, cents), buyer=party(country=country, kyc_tier=tier)).verdict
        for tier in sorted((one, other))
    )
    assert SEVERITY.index(high) <= SEVERITY.index(low)


def test_records_are_kept_as_long_as_the_longest_rule_says() -> None:
    assert in_force(ALL_PACKS, "DE", AT.date()).keep_years == 5
    assert in_force(ALL_PACKS, "JP", AT.date()).keep_years == 7


BROKEN = [
    ("effective_date: 2020-01-28", "effective_date: soon", r"sg\.yaml, rule travel-rule, eff"),
    ('SGD: "1500"', "SGD: -1", r"sg\.yaml, rule travel-rule-full, threshold\.SGD"),
    ("kind: travel_rule", "kind: travel", r"sg\.yaml, rule travel-rule"),
    ("    years: 5", "    years: 5\n    colour: red", r"sg\.yaml, rule records, colour"),
    ("id: travel-rule-full", "id: travel-rule", r"travel-rule is there twice on the same day"),
    ("rules:", "rules: [", r"sg\.yaml is no YAML"),
]


@pytest.mark.parametrize(("old", "new", "said"), BROKEN)
def test_a_broken_pack_is_refused_with_file_rule_and_field(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in GOOD
    file = tmp_path / "sg.yaml"
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InvalidInput, match=said):
        load_pack(file)


def test_a_higher_tier_that_may_less_is_refused() -> None:
    data = bundled()["fatf"].model_dump(mode="json")
    limits = [rule for rule in data["rules"] if rule["kind"] == "tier_limit"]
    limits[0]["per_day"]["EUR"] = "60000"
    with pytest.raises(ValidationError, match="tier-2 allows less EUR than tier-1"):
        Pack.model_validate(data)


def test_what_changes_on_a_day_is_named() -> None:
    packs = bundled().values()
    assert changes_on(packs, date(2024, 12, 30)) == [
        Change("eu", rule.id, "begins", rule.source) for rule in bundled()["eu"].rules
    ]
    assert changes_on(packs, date(2024, 12, 31)) == []
    assert date(2026, 2, 2) in days_of_change(packs)


def test_a_rule_that_follows_itself_changes_and_one_without_a_follower_ends() -> None:
    data = bundled()["sg"].model_dump(mode="json")
    old = data["rules"][0]
    old["end_date"] = data["rules"][1]["end_date"] = "2027-01-01"
    data["rules"].append(old | {"effective_date": "2027-01-01", "end_date": None})
    found = changes_on([Pack.model_validate(data)], date(2027, 1, 1))
    assert [(one.rule, one.what) for one in found] == [
        ("travel-rule", "changes"),
        ("travel-rule-full", "ends"),
    ]


def test_settings_name_only_packs_there_are_and_keep_the_baseline() -> None:
    with pytest.raises(ValidationError, match="there is no pack zz"):
        DatedPacksSettings(packs=("fatf", "zz"))
    with pytest.raises(ValidationError, match="can't be left out"):
        DatedPacksSettings(packs=("eu",))


def test_the_days_changes_are_printed_and_a_wrong_day_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["2022-10-21"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("fatf call-for-action-mm begins (FATF")
    assert said[1] == "Next change: 2023-01-01."
    assert main(["tomorrow"]) == main([]) == 2


def test_past_trades_are_judged_by_the_rules_of_the_day() -> None:
    trades = [trade(trade_id=1, buyer=party(country="MM")), trade(trade_id=2)]
    for day, verdict in ((date(2022, 10, 20), Verdict.ALLOW), (date(2022, 10, 21), Verdict.DENY)):
        rows = simulate(trades, day, lambda facts: RULES.check_trade(facts, SETTINGS))
        assert [row.decision.verdict for row in rows] == [verdict, Verdict.ALLOW]
