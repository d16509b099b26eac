"""What people are told of an offer's conditions is what the engine decides."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import InvalidInput
from portal.core.money import units_text
from portal.engine.commands import Conditions as Command
from portal.engine.commands import Facts as CommandFacts
from portal.orders.condition_words import (
    DAY_MS,
    WantedConditions,
    engine_conditions,
    in_words,
    largest_for,
    unmet,
    view_of,
)
from portal.orders.conditions import Conditions, Facts

NOW = 1_800_000_000_000
KNOWN = {
    "tier": 1,
    "trades": 2,
    "completion_bps": 9_000,
    "since_ms": NOW - 5 * DAY_MS,
    "region": "DE",
}


def amount(units):
    return units_text(units, 2)


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ({"min_tier": 2}, "It asks for identity tier 2 or higher; yours is 1."),
        ({"min_trades": 3}, "It asks for 3 completed trades; you have 2."),
        (
            {"min_completion_bps": 9_550},
            "It asks for a completion rate of at least 95.5%; yours is 90%.",
        ),
        (
            {"min_age_ms": 30 * DAY_MS},
            "It asks for an account at least 30 days old; yours is 5 days old.",
        ),
        ({"regions": ["NL", "FR"]}, "It trades only with people from NL, FR."),
        ({"min_tier": 1, "min_trades": 2, "regions": ["DE"]}, None),
        ({"first_trade_max": 5}, None),
        (None, None),
    ],
)
def test_the_condition_that_is_not_met_is_told_with_ones_own_value(conditions, sentence):
    assert unmet(conditions, KNOWN, NOW) == sentence


def test_somebody_without_a_trade_has_no_completion_rate():
    told = unmet({"min_completion_bps": 1}, KNOWN | {"trades": 0, "completion_bps": 0}, NOW)
    assert told is not None
    assert told.endswith("you have none.")


def test_a_first_trade_is_bounded_and_a_later_one_is_not():
    assert largest_for({"first_trade_max": 5}, KNOWN | {"trades": 0}, 100) == 5
    assert largest_for({"first_trade_max": 5}, KNOWN, 100) == 100
    assert largest_for(None, KNOWN | {"trades": 0}, 100) == 100


def test_words_and_numbers_of_all_conditions():
    wanted = WantedConditions(2, 10, "0.95", 30, "12.34", ("NL", "DE", "NL"))
    stored = engine_conditions(wanted, 1_234)
    view = view_of(stored, amount, "BTC")
    assert view is not None
    assert (view.min_completion_rate, view.min_account_days, view.first_trade_max) == (
        "0.9500",
        30,
        "12.34",
    )
    assert view.words == [
        "Identity tier 2 or higher.",
        "At least 10 completed trades.",
        "At least 95% of trades completed.",
        "An account at least 30 days old.",
        "A first trade of at most 12.34 BTC.",
        "Only people from DE, NL.",
    ]


def test_no_conditions_are_none_whatever_link_there_is():
    assert engine_conditions(WantedConditions(), None) == {}
    assert view_of(asdict(Conditions()), amount, "BTC") is None
    assert in_words(None, amount, "BTC") == []


@pytest.mark.parametrize("rate", ["1.0001", "-0.1", "95", "0.12345", "NaN", "1e-1"])
def test_a_rate_outside_zero_and_one_is_named(rate):
    with pytest.raises(InvalidInput) as refused:
        engine_conditions(WantedConditions(min_completion_rate=rate), None)
    assert refused.value.field == "conditions.min_completion_rate"


@given(
    asked=st.builds(
        Conditions,
        min_tier=st.integers(0, 3),
        min_trades=st.integers(0, 3),
        min_completion_bps=st.sampled_from([0, 1, 5_000, 10_000]),
        min_age_ms=st.sampled_from([0, 1, DAY_MS, 3 * DAY_MS]),
        first_trade_max=st.sampled_from([None, 1, 50, 1_000]),
        regions=st.sampled_from([(), ("DE",), ("DE", "NL")]),
    ),
    facts=st.builds(
        Facts,
        tier=st.integers(0, 3),
        trades=st.integers(0, 3),
        completion_bps=st.sampled_from([0, 1, 5_000, 10_000]),
        since_ms=st.sampled_from([0, NOW, NOW - 1, NOW - DAY_MS, NOW - 9 * DAY_MS]),
        region=st.sampled_from(["", "DE", "NL", "FR"]),
    ),
)
def test_people_are_told_what_the_engine_decides(asked, facts):
    stored, known = asdict(asked), asdict(facts)
    assert (unmet(stored, known, NOW) is None) is asked.admit(facts, NOW)
    allowed = asked.largest(facts)
    assert largest_for(stored, known, 100) == (100 if allowed is None else min(100, allowed))


def test_the_words_of_a_command_are_those_of_the_engines_rules():
    assert {name for name in Command.__struct_fields__ if name != "link"} == set(
        asdict(Conditions())
    )
    assert set(CommandFacts.__struct_fields__) == set(asdict(Facts())) == set(KNOWN)
