from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from portal.payments import rules
from portal.payments.rules import Expected, Found
from portal.plugin_api import Asset, Money, NameMatch, StatementLine

EUR = Asset("EUR", 2)
SELLER, BUYER = "DE89370400440532013000", "FR1420041010050500013M02606"

EXPECTED = Expected(
    trade_id=7,
    state="paid",
    amount=Money(EUR, 92_00),
    payee_account=SELLER,
    payer_account=BUYER,
    payer_name="Bob Demo",
    opened=date(2026, 3, 2),
    closes=date(2026, 3, 4),
)
LINE = StatementLine(
    entry_ref="1",
    account=SELLER,
    amount=Money(EUR, 92_00),
    direction="credit",
    booking_date=date(2026, 3, 3),
    status="booked",
    reversal=False,
    payer_name="Bob Demo",
    payer_account=BUYER,
    references=(),
    text="",
    source_line=1,
)


def find(
    line: StatementLine = LINE,
    structured: Iterable[int] = (),
    in_text: Iterable[int] = (),
    waiting: Iterable[Expected] = (EXPECTED,),
) -> Found:
    known = {7: EXPECTED, 8: replace(EXPECTED, trade_id=8)}
    return rules.find(
        line,
        structured=list(structured),
        in_text=list(in_text),
        by_reference=known.get,
        by_amount=lambda: waiting,
    )


def test_the_structured_reference_comes_first() -> None:
    assert find(structured=[8], in_text=[7]).by == "reference"
    assert find(structured=[8], in_text=[7]).expected == replace(EXPECTED, trade_id=8)


def test_then_a_reference_in_the_text_then_the_amount() -> None:
    assert (find(in_text=[8]).expected, find(in_text=[8]).by) == (
        replace(EXPECTED, trade_id=8),
        "text",
    )
    assert find().by == "amount"


def test_a_line_that_names_an_unknown_trade_is_not_guessed_by_its_amount() -> None:
    found = find(structured=[99])
    assert found.expected is None
    assert "trade 99" in found.reason


def test_a_line_that_names_several_trades_is_left_to_a_person() -> None:
    assert "several trades: 7, 8" in find(structured=[7, 8, 7]).reason


def test_two_trades_that_fit_by_amount_are_left_to_a_person() -> None:
    found = find(waiting=[EXPECTED, replace(EXPECTED, trade_id=9)])
    assert found.expected is None
    assert "7, 9" in found.reason


@pytest.mark.parametrize(
    "change",
    [
        {"amount": Money(EUR, 92_01)},
        {"payer_account": "DE75512108001245126199"},
        {"payer_account": ""},
        {"account": BUYER},
        {"booking_date": date(2026, 3, 1)},
        {"booking_date": date(2026, 3, 9)},
        {"booking_date": None},
    ],
)
def test_the_amount_alone_is_not_enough(change: dict[str, Any]) -> None:
    assert find(replace(LINE, **change)).expected is None


def test_no_payer_account_on_either_side_is_no_agreement() -> None:
    assert find(replace(LINE, payer_account=""), waiting=[replace(EXPECTED, payer_account="")]) == (
        Found(reason="It names no trade, and no trade fits its amount and payer.")
    )


def test_everything_agreeing_verifies() -> None:
    judgement = rules.judge(LINE, EXPECTED, NameMatch.MATCH)
    assert (judgement.state, judgement.reason) == ("verifying", None)


PROBLEMS: list[tuple[dict[str, Any], str]] = [
    ({"reversal": True}, "went back"),
    ({"status": "pending"}, "not a booked credit"),
    ({"status": "other"}, "not a booked credit"),
    ({"direction": "debit"}, "not a booked credit"),
    ({"account": BUYER}, "another account"),
    ({"account": ""}, "another account"),
    ({"amount": Money(EUR, 91_99)}, "91.99 EUR"),
    ({"amount": Money(EUR, 92_01)}, "exactly 92.00 EUR"),
    ({"amount": Money(Asset("SEK", 2), 92_00)}, "SEK"),
]


@pytest.mark.parametrize(("change", "says"), PROBLEMS)
def test_any_difference_goes_to_a_person_and_not_even_a_person_may_accept_it(
    change: dict[str, Any], says: str
) -> None:
    line = replace(LINE, **change)
    judgement = rules.judge(line, EXPECTED, NameMatch.MATCH)
    assert judgement.state == "manual"
    assert says in str(judgement.reason)
    assert says in str(rules.confirmable(line, EXPECTED, NameMatch.MATCH))


@pytest.mark.parametrize("name", [NameMatch.CLOSE, NameMatch.NOT_POSSIBLE])
def test_a_name_that_is_not_sure_needs_a_person_who_may_accept_it(name: NameMatch) -> None:
    assert rules.judge(LINE, EXPECTED, name).state == "manual"
    assert rules.confirmable(LINE, EXPECTED, name) is None


def test_another_name_is_never_accepted() -> None:
    assert rules.judge(LINE, EXPECTED, NameMatch.NO_MATCH).state == "manual"
    assert "never" in str(rules.confirmable(LINE, EXPECTED, NameMatch.NO_MATCH))


@pytest.mark.parametrize(
    "state", ["matched", "held", "locking", "verified", "released", "cancelled", "disputed"]
)
def test_a_trade_that_waits_for_no_payment_is_not_verified(state: str) -> None:
    judgement = rules.judge(LINE, replace(EXPECTED, state=state), NameMatch.MATCH)
    assert judgement.state == "manual"
    assert f"Trade 7 is {state}" in str(judgement.reason)


def test_reasons_hold_no_personal_data() -> None:
    for change, _ in PROBLEMS:
        reason = str(rules.judge(replace(LINE, **change), EXPECTED, NameMatch.CLOSE).reason)
        assert not [secret for secret in (SELLER, BUYER, "Bob") if secret in reason]


def test_what_needs_nobody_is_set_aside_but_a_reversal_is_not() -> None:
    assert rules.needs_nobody(replace(LINE, direction="debit"))
    assert rules.needs_nobody(replace(LINE, status="pending"))
    assert rules.needs_nobody(LINE) is None
    assert rules.needs_nobody(replace(LINE, direction="debit", reversal=True)) is None
