"""Each case of the conformance suites fails for a provider that breaks what it asks."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ConfigDict

from plugins.compliance.regional_rules.rules import RegionalRules
from plugins.fee_models.maker_taker.model import MakerTaker
from plugins.payment_gateways.sepa.gateway import SepaGateway
from portal.plugin_api import (
    Decision,
    Fees,
    InvalidInput,
    Money,
    NameMatch,
    ProviderSettings,
    Statement,
    Verdict,
)
from portal.testing import ComplianceConformance, FeeModelConformance, GatewayConformance
from portal.testing.facts import EUR
from tests.statements import Entry, camt053

_COUNT = itertools.count()


class Untitled(ProviderSettings):
    some: int = 1


class Loose(ProviderSettings):
    model_config = ConfigDict(extra="ignore")


def fees(change: Any) -> type[MakerTaker]:
    class Broken(MakerTaker):
        def quote(self, facts: Any, settings: Any) -> Any:
            return change(facts, super().quote(facts, settings))

    return Broken


def _fee(facts: Any, was: Fees, units: int) -> Fees:
    return Fees(Money(facts.quantity.asset, units), was.taker, was.explanation)


FEE_MODELS = [
    ("f01_gives_fees", fees(lambda facts, was: None)),
    ("f02_in_the_coin_of_the_trade", fees(lambda f, was: Fees(Money(EUR, 0), was.taker, "x"))),
    ("f03_never_negative_never_more_than_the_trade", fees(lambda f, was: _fee(f, was, -1))),
    (
        "f03_never_negative_never_more_than_the_trade",
        fees(lambda f, was: _fee(f, was, f.quantity.units + 1)),
    ),
    ("f04_the_same_answer_every_time", fees(lambda f, was: _fee(f, was, next(_COUNT)))),
    ("f05_tells_how", fees(lambda f, was: Fees(was.maker, was.taker, " "))),
    ("f05_tells_how", fees(lambda f, was: Fees(was.maker, was.taker, "a\nb"))),
    ("f06_the_number_of_a_trade_does_not_matter", fees(lambda f, was: _fee(f, was, f.trade_id))),
    (
        "f07_rounds_by_less_than_a_unit_at_scale",
        fees(lambda f, was: _fee(f, was, f.quantity.units if f.quantity.units > 10**8 else 0)),
    ),
]


@pytest.mark.parametrize(("case", "model"), FEE_MODELS)
def test_a_broken_fee_model_is_found_out(case: str, model: type[MakerTaker]) -> None:
    class Suite(FeeModelConformance):
        provider = model()

    with pytest.raises(AssertionError):
        getattr(Suite(), f"test_{case}")()


def rules(change: Any) -> type[RegionalRules]:
    class Broken(RegionalRules):
        def check_trade(self, facts: Any, settings: Any) -> Any:
            return change(facts, super().check_trade(facts, settings))

        def check_order(self, facts: Any, settings: Any) -> Any:
            return change(facts, super().check_order(facts, settings))

    return Broken


class Forever(RegionalRules):
    order_answer_seconds = 1e9


def _flip(facts: Any, was: Decision) -> Decision:
    return Decision.allow() if next(_COUNT) % 2 else Decision.deny("chance")


def _two_lines(facts: Any, was: Decision) -> Decision:
    return Decision(Verdict.DENY, "a\nb")


def _strict_on_small(facts: Any, was: Decision) -> Decision:
    return Decision.deny("small") if facts.amount.units < 500 else Decision.allow()


RULES = [
    ("c01_always_decides_about_trades", rules(lambda facts, was: None)),
    ("c02_always_decides_about_orders", rules(lambda facts, was: "allow")),
    ("c03_the_same_answer_every_time", rules(_flip)),
    ("c04_says_why", rules(_two_lines)),
    ("c05_smaller_is_never_judged_more_strictly", rules(_strict_on_small)),
    ("c06_an_answer_that_holds_for_a_while_says_for_how_long", Forever),
]


@pytest.mark.parametrize(("case", "broken"), RULES)
def test_broken_rules_are_found_out(case: str, broken: type[RegionalRules]) -> None:
    class Suite(ComplianceConformance):
        provider = broken()

    with pytest.raises(AssertionError):
        getattr(Suite(), f"test_{case}")()


class NoMoney(SepaGateway):
    def currencies(self, settings: Any) -> Any:
        return ()


class BadExample(SepaGateway):
    def account_fields(self) -> Any:
        return ()


class Grows(SepaGateway):
    def check_account(self, values: Mapping[str, str], settings: Any) -> dict[str, str]:
        return {**super().check_account(values, settings), "holder": values["holder"] + "x"}


class TakesAnything(SepaGateway):
    def check_account(self, values: Mapping[str, str], settings: Any) -> dict[str, str]:
        return {"iban": "DE89370400440532013000", "holder": "x", "bic": ""}


class TellsAll(SepaGateway):
    def account_label(self, account: Mapping[str, str]) -> str:
        return account["iban"]


class OneReference(SepaGateway):
    def reference(self, trade_id: int) -> str:
        return super().reference(1)


class BelievesAll(SepaGateway):
    def trade_of(self, reference: str) -> int | None:
        return super().trade_of(reference) or 7


class Blind(SepaGateway):
    def references_in(self, text: str) -> tuple[str, ...]:
        return ()


class AnotherTrade(SepaGateway):
    def instructions(self, request: Any, settings: Any) -> Any:
        told = super().instructions(request, settings)
        return dataclasses.replace(told, reference=self.reference(8))


class NewNumbers(SepaGateway):
    def parse_statement(self, content: bytes, settings: Any) -> Statement:
        found = super().parse_statement(content, settings)
        lines = [dataclasses.replace(line, entry_ref=str(next(_COUNT))) for line in found.lines]
        return Statement(found.message_id, tuple(lines))


class Negative(SepaGateway):
    def parse_statement(self, content: bytes, settings: Any) -> Statement:
        found = super().parse_statement(content, settings)
        lines = [dataclasses.replace(one, amount=Money(EUR, -1)) for one in found.lines]
        return Statement(found.message_id, tuple(lines))


class TakesEveryFile(SepaGateway):
    def parse_statement(self, content: bytes, settings: Any) -> Statement:
        return Statement("m", ())


class EveryNameFits(SepaGateway):
    def match_name(self, expected: str, given: str) -> NameMatch:
        return NameMatch.MATCH


GATEWAYS = [
    ("g01_moves_some_money", NoMoney),
    ("g02_its_form_explains_itself", BadExample),
    ("g03_takes_a_right_account_and_keeps_it", Grows),
    ("g04_names_what_is_missing", TakesAnything),
    ("g05_refuses_what_it_does_not_know", TakesAnything),
    ("g06_shows_little_of_an_account", TellsAll),
    ("g07_references_are_unique_and_lasting", OneReference),
    ("g08_references_lead_back", BelievesAll),
    ("g09_finds_references_in_what_people_type", Blind),
    ("g10_tells_the_payer_everything", AnotherTrade),
    ("g11_reads_a_statement_the_same_every_time", NewNumbers),
    ("g12_only_a_booked_credit_is_a_payment", Negative),
    ("g14_judges_names", EveryNameFits),
]


@pytest.mark.parametrize(("case", "broken"), GATEWAYS)
def test_a_broken_gateway_is_found_out(case: str, broken: type[SepaGateway]) -> None:
    class Suite(GatewayConformance):
        provider = broken()
        statement = camt053(Entry())

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(Suite(), f"test_{case}")()


def test_a_gateway_that_takes_any_file_is_found_out() -> None:
    class Suite(GatewayConformance):
        provider = TakesEveryFile()

    with pytest.raises(pytest.fail.Exception):
        Suite().test_g13_refuses_what_is_no_statement(b"not a statement")


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("p01_slug_and_label", {"slug": "Not a slug"}),
        ("p01_slug_and_label", {"label": " "}),
        ("p03_unknown_settings_are_refused", {"settings_model": Loose}),
        ("p05_the_form_can_be_drawn", {"settings_model": Untitled}),
    ],
)
def test_what_every_provider_must_hold_can_fail(case: str, changes: dict[str, Any]) -> None:
    class Suite(FeeModelConformance):
        provider = type("Broken", (MakerTaker,), changes)()

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(Suite(), f"test_{case}")()


def test_what_a_refusal_says_is_looked_at() -> None:
    class Silent(SepaGateway):
        def parse_statement(self, content: bytes, settings: Any) -> Statement:
            raise InvalidInput(" ")

    class Suite(GatewayConformance):
        provider = Silent()

    with pytest.raises(AssertionError):
        Suite().test_g13_refuses_what_is_no_statement(b"")
