"""From a person's words to the engine's command: everything that can be wrong is named."""

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.api.reading import validate
from portal.core.errors import InvalidInput
from portal.core.money import Asset
from portal.engine.commands import AmendOrder, PlaceOrder, Quote, parse_command
from portal.orders.amend import WantedChange, amend_command
from portal.orders.condition_words import WantedConditions
from portal.orders.draft import Wanted, place_command, quote_part, read_draft, reference_price
from portal.orders.frame import Frame
from portal.orders.hours import WantedHours, WantedSpan
from portal.orders.rules import MarketTerms
from portal.orders.shapes import (
    AmendBody,
    MassQuoteBody,
    OrderBody,
    wanted_change,
    wanted_order,
    wanted_quotes,
)

NOW = 1_800_000_000_000
LATER = "2027-02-01T12:00:00+01:00"
FACTS = {"tier": 1, "trades": 0, "completion_bps": 0, "since_ms": 0, "region": "DE"}
HUGE = "1" + "0" * 30


def frame(**change):
    terms = {
        "id": "BTC-EUR",
        "base": "BTC",
        "quote": "EUR",
        "base_places": 8,
        "quote_places": 2,
        "price_places": 2,
        "lot": 1_000,
        "min_trade": 10_000,
        "max_trade": 200_000_000,
        "escrow": "ledger",
        "status": "open",
        "payment_seconds": 60,
        "release_seconds": 60,
        "protection_bps": 300,
        "max_fee_bps": 100,
        "methods": ["sepa", "pix"],
    }
    index = change.pop("index_ticks", 6_000_000)
    return Frame(MarketTerms(**(terms | change)), Asset("BTC", 8), Asset("EUR", 2), index)


def wanted(**change):
    values = {
        "market": "BTC-EUR",
        "side": "sell",
        "order_type": "limit",
        "quantity": "0.01",
        "methods": ("sepa",),
        "price": "60000",
    }
    return Wanted(**(values | change))


FIRST_TOO_FINE = WantedConditions(first_trade_max="0.0000001")
FIRST_NEGATIVE = WantedConditions(first_trade_max="-1")
FLOATING = {"price": None, "price_kind": "floating", "margin_bps": 100}


def test_everything_said_is_in_the_command_and_nothing_else():
    plain = place_command(read_draft(frame(), wanted(), NOW), 7, FACTS, "k")
    assert plain == {
        "kind": "place_order",
        "key": "k",
        "owner": 7,
        "market": "BTC-EUR",
        "side": "sell",
        "order_type": "limit",
        "price_kind": "fixed",
        "price": 6_000_000,
        "quantity": 1_000_000,
        "methods": ["sepa"],
        "tif": "GTC",
        "stp": "cancel_newest",
        "max_fee_bps": 100,
        "facts": FACTS,
    }
    assert isinstance(parse_command(plain), PlaceOrder)


def test_an_order_with_everything_is_a_command_of_the_engine():
    full = wanted(
        **FLOATING,
        floor="59000",
        ceiling="61000.5",
        min_trade="0.001",
        max_trade="0.005",
        tif="GTD",
        expires_at=LATER,
        post_only=True,
        shared=True,
        stp="cancel_both",
        hours=WantedHours("UTC", (WantedSpan(("mon", "tue"), "09:00", "17:00"),)),
        conditions=WantedConditions(1, 5, "0.9", 10, "0.002", ("DE",)),
        private=True,
        payment_accounts={"sepa": 3},
    )
    draft = read_draft(frame(), full, NOW)
    command = parse_command(
        place_command(
            draft, 7, FACTS, "k", link="a" * 32, authority="0xabc", via="key", via_max_open=9
        )
    )
    assert isinstance(command, PlaceOrder)
    assert (command.floor, command.ceiling) == (5_900_000, 6_100_050)
    assert (command.min_trade, command.max_trade) == (100_000, 500_000)
    assert command.expires_ms == 1_801_479_600_000
    assert command.hours == [(540, 1020), (1980, 2460)]
    assert command.conditions is not None
    assert command.conditions.link == "a" * 32
    assert command.conditions.first_trade_max == 200_000
    assert (command.via, command.via_max_open, command.authority) == ("key", 9, "0xabc")
    assert (command.post_only, command.shared, command.stp) == (True, True, "cancel_both")


def test_a_quote_of_many_is_the_same_without_whose_it_is():
    part = quote_part(read_draft(frame(), wanted(), NOW))
    assert msgspec.convert(part, Quote).price == 6_000_000


@pytest.mark.parametrize(
    "field", ["quantity", "price", "min_trade", "max_trade", "floor", "ceiling"]
)
@pytest.mark.parametrize(
    "value", ["NaN", HUGE, "-1", "0", "1e3", "", "0.000000001", "9" * 19, "Infinity", 5]
)
def test_numbers_that_are_none_are_named(field, value):
    change = FLOATING if field in ("floor", "ceiling") else {}
    with pytest.raises(InvalidInput) as refused:
        read_draft(frame(), wanted(**(change | {field: value})), NOW)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": "0.010001"}, "quantity"),
        ({"quantity": "0.00009"}, "quantity"),
        ({"price": "60000.001"}, "price"),
        ({"price": None}, "price"),
        ({"min_trade": "0.02"}, "min_trade"),
        ({"max_trade": "0.00005"}, "max_trade"),
        ({"max_trade": "2.1", "quantity": "3"}, "max_trade"),
        ({"methods": ("paypal",)}, "methods"),
        ({"floor": "1"}, "floor"),
        ({"ceiling": "1"}, "ceiling"),
        ({**FLOATING, "floor": "60001", "ceiling": "60000"}, "floor"),
        ({**FLOATING, "price": "60000"}, "price"),
        ({**FLOATING, "margin_bps": 5_001}, "margin_bps"),
        ({**FLOATING, "margin_bps": None}, "margin_bps"),
        ({"tif": "GTD"}, "expires_at"),
        ({"expires_at": LATER}, "tif"),
        ({"tif": "IOC", "expires_at": LATER}, "tif"),
        ({"tif": "GTD", "expires_at": "tomorrow"}, "expires_at"),
        ({"tif": "GTD", "expires_at": "2027-02-01T12:00:00"}, "expires_at"),
        ({"tif": "GTD", "expires_at": "2020-02-01T12:00:00Z"}, "expires_at"),
        ({"tif": "GTD", "expires_at": "2099-02-01T12:00:00Z"}, "expires_at"),
        ({"tif": "GTD", "expires_at": "0001-01-01T00:00:00+23:59"}, "expires_at"),
        ({"tif": "GTD", "expires_at": "9999-12-31T23:59:59-23:59"}, "expires_at"),
        ({"tif": "IOC", "post_only": True}, "post_only"),
        ({"tif": "FOK", "private": True}, "private"),
        ({"order_type": "market", "price": None, "post_only": True}, "post_only"),
        ({"take_order": 5, "private": True}, "private"),
        ({"link": "a" * 32}, "link"),
        ({"order_type": "market"}, "price"),
        ({"order_type": "market", **FLOATING}, "price_kind"),
        (
            {"conditions": WantedConditions(first_trade_max="0.0000001")},
            "conditions.first_trade_max",
        ),
        ({"conditions": WantedConditions(first_trade_max="-1")}, "conditions.first_trade_max"),
    ],
)
def test_what_can_not_be_said_together_is_named(change, field):
    with pytest.raises(InvalidInput) as refused:
        read_draft(frame(), wanted(**change), NOW)
    assert refused.value.field == field


def test_a_floating_price_stays_within_its_bounds():
    for bounds, price in (({}, 6_060_000), ({"floor": "61000"}, 6_100_000)):
        draft = read_draft(frame(), wanted(**FLOATING, **bounds), NOW)
        assert reference_price(draft, None) == price
    draft = read_draft(frame(), wanted(**FLOATING, ceiling="60001"), NOW)
    assert reference_price(draft, None) == 6_000_100
    paused = read_draft(frame(index_ticks=None), wanted(**FLOATING, floor="61000"), NOW)
    assert reference_price(paused, None) is None


def test_the_body_becomes_the_order_that_it_says():
    raw = {
        "market": "BTC-EUR",
        "side": "buy",
        "order_type": "limit",
        "price": "60000",
        "quantity": "0.01",
        "methods": ["sepa", "pix", "sepa"],
        "tif": "GTD",
        "expires_at": LATER,
        "hours": {
            "zone": "Europe/Berlin",
            "spans": [{"days": ["sat"], "start": "09:00", "end": "09:30"}],
        },
        "conditions": {"min_completion_rate": "0.5", "regions": ["DE"]},
        "payment_accounts": {"sepa": 1},
        "private": True,
    }
    found = wanted_order(validate(OrderBody, raw))
    assert found.methods == ("sepa", "pix")
    assert found.hours == WantedHours("Europe/Berlin", (WantedSpan(("sat",), "09:00", "09:30"),))
    assert found.conditions == WantedConditions(min_completion_rate="0.5", regions=("DE",))
    assert (found.tif, found.expires_at, found.private) == ("GTD", LATER, True)
    terms = {name: value for name, value in raw.items() if name != "market"}
    many = validate(MassQuoteBody, {"market": "BTC-EUR", "quote_set": "a", "quotes": [terms] * 50})
    assert wanted_quotes(many) == [found] * 50


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"surprise": 1}, "surprise"),
        ({"tif": "DAY"}, "tif"),
        ({"stp": "none"}, "stp"),
        ({"post_only": "yes"}, "post_only"),
        ({"shared": 1}, "shared"),
        ({"expires_at": 1_800_000_000}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"hours": {"zone": "UTC", "spans": []}}, "hours.spans"),
        (
            {"hours": {"zone": "UTC", "spans": [{"days": ["someday"], "start": "1", "end": "2"}]}},
            "hours.spans.0.days.0",
        ),
        ({"hours": [[0, 5]]}, "hours"),
        ({"conditions": {"min_kyc_tier": -1}}, "conditions.min_kyc_tier"),
        ({"conditions": {"min_kyc_tier": True}}, "conditions.min_kyc_tier"),
        ({"conditions": {"min_completed_trades": 10**30}}, "conditions.min_completed_trades"),
        ({"conditions": {"min_completion_rate": "95"}}, "conditions.min_completion_rate"),
        ({"conditions": {"min_completion_rate": 0.95}}, "conditions.min_completion_rate"),
        ({"conditions": {"min_account_days": 1.5}}, "conditions.min_account_days"),
        ({"conditions": {"regions": ["Germany"]}}, "conditions.regions.0"),
        ({"conditions": {"link": "a" * 32}}, "conditions.link"),
        ({"link": "../secret"}, "link"),
        ({"client_id": "with space"}, "client_id"),
        ({"floor": 1}, "floor"),
        ({"ceiling": "NaN"}, "ceiling"),
    ],
)
def test_a_body_that_is_wrong_is_named(change, field):
    raw = {
        "market": "BTC-EUR",
        "side": "buy",
        "order_type": "limit",
        "price": "1",
        "quantity": "1",
        "methods": ["sepa"],
    }
    with pytest.raises(InvalidInput) as refused:
        validate(OrderBody, raw | change)
    assert refused.value.field == field


class Standing:
    """An order that stands: what a change is read against."""

    def __init__(self, price_kind="fixed"):
        self.id, self.price_kind = 11, price_kind


def amended(kind="fixed", **change):
    return amend_command(frame(), Standing(kind), WantedChange(**change), 7, "k", NOW)


def test_a_change_is_a_command_of_the_engine():
    command = parse_command(amended(price="60001.5", remaining="0.02", expires_at=LATER))
    assert isinstance(command, AmendOrder)
    assert (command.price, command.remaining, command.margin_bps) == (6_000_150, 2_000_000, None)
    assert amended("floating", margin_bps=-5, floor="1", ceiling="2")["ceiling"] == 200


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("fixed", {}, "body"),
        ("fixed", {"margin_bps": 5}, "margin_bps"),
        ("fixed", {"floor": "5"}, "floor"),
        ("floating", {"price": "5"}, "price"),
        ("floating", {"margin_bps": 5_001}, "margin_bps"),
        ("fixed", {"price": "0"}, "price"),
        ("fixed", {"price": HUGE}, "price"),
        ("fixed", {"remaining": "NaN"}, "remaining"),
        ("fixed", {"remaining": "-1"}, "remaining"),
        ("fixed", {"remaining": "0.000001"}, "remaining"),
        ("fixed", {"min_trade": "0"}, "min_trade"),
        ("fixed", {"max_trade": "0.0000000001"}, "max_trade"),
        ("fixed", {"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_a_change_that_can_not_be_is_named(kind, change, field):
    with pytest.raises(InvalidInput) as refused:
        amended(kind, **change)
    assert refused.value.field == field


def test_a_body_of_a_change():
    body = validate(AmendBody, {"remaining": "1", "margin_bps": -3})
    assert wanted_change(body) == WantedChange(remaining="1", margin_bps=-3)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
GOOD = {
    "market": "BTC-EUR",
    "side": "buy",
    "order_type": "limit",
    "price": "1",
    "quantity": "1",
    "methods": ["sepa"],
}


def read(raw):
    """The command of a body, or the field that is wrong."""
    try:
        draft = read_draft(frame(), wanted_order(validate(OrderBody, raw)), NOW)
    except InvalidInput as refusal:
        return refusal.field
    return parse_command(orjson.dumps(place_command(draft, 7, FACTS, "k")))


@given(value=ANYTHING, name=st.sampled_from(sorted(OrderBody.model_fields.keys() - {"market"})))
def test_whatever_is_sent_is_an_order_or_the_field_is_named(value, name):
    assert read(GOOD | {name: value})
