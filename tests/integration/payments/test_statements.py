"""Statements against trades in a real engine and a real database."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from portal.payments import service
from portal.payments.models import BankStatement
from portal.payments.verifying import run_verifying
from tests.integration.payments.world import World
from tests.statements import BUYER_IBAN, SELLER_IBAN, Entry, camt053

pytestmark = pytest.mark.postgres


def test_the_right_payment_verifies_the_trade(world: World) -> None:
    trade_id = world.paid()
    result = world.bank_says(world.entry(trade_id))
    assert (result.lines, result.new, result.states) == (1, 1, {"verified": 1})
    (line,) = world.lines()
    assert (line.trade_id, line.matched_by, line.name_match) == (trade_id, "reference", "MTCH")
    trade = world.trade(trade_id)
    assert (trade.state, trade.payment_proof) == ("verified", f"statement_line:{line.id}")


@pytest.mark.parametrize(
    ("change", "way"),
    [
        ({"reference": "", "end_to_end": "{ref}"}, "reference"),
        ({"reference": "", "text": "pay {ref} thanks"}, "text"),
        ({"reference": ""}, "amount"),
    ],
)
def test_the_other_ways_to_find_a_trade(world: World, change: dict[str, str], way: str) -> None:
    trade_id = world.paid()
    reference = world.host.gateway("sepa").reference(trade_id)
    told = {name: value.format(ref=reference) for name, value in change.items()}
    world.bank_says(world.entry(trade_id, **told))
    (line,) = world.lines()
    assert (line.state, line.matched_by) == ("verified", way)


def test_a_payment_that_comes_before_the_buyers_word_waits_for_it(world: World) -> None:
    trade_id = world.locked()
    assert world.bank_says(world.entry(trade_id)).states == {"verifying": 1}
    assert run_verifying(world.context) == 0
    world.mark_paid(trade_id)
    assert run_verifying(world.context) == 1
    assert run_verifying(world.context) == 0
    assert world.trade(trade_id).state == "verified"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"amount": "91.79"}, "wants exactly"),
    ({"amount": "91.81"}, "wants exactly"),
    ({"currency": "CHF"}, "CHF"),
    ({"payer": "Eve Other"}, "name is not the buyer's"),
    ({"payer": "B. Demo"}, "close"),
    ({"payer": ""}, "can't be compared"),
    ({"reversal": True}, "went back"),
    ({"returned": True}, "went back"),
]


@pytest.mark.parametrize(("change", "reason"), WRONG)
def test_whatever_differs_goes_to_the_queue_with_its_reason(
    world: World, change: dict[str, Any], reason: str
) -> None:
    trade_id = world.paid()
    assert world.bank_says(world.entry(trade_id, **change)).states == {"manual": 1}
    (line,) = world.lines()
    assert reason in str(line.reason)
    assert line.trade_id == trade_id
    assert world.trade(trade_id).state == "paid"


def test_a_payment_to_another_account_does_not_count(world: World) -> None:
    trade_id = world.paid()
    world.bank_says(world.entry(trade_id), account="NL91ABNA0417164300")
    assert "another account" in str(world.lines()[0].reason)
    assert world.trade(trade_id).state == "paid"


@pytest.mark.parametrize("change", [{"status": "PDNG"}, {"direction": "DBIT"}])
def test_pending_bookings_and_debits_are_set_aside(world: World, change: dict[str, str]) -> None:
    trade_id = world.paid()
    assert world.bank_says(world.entry(trade_id, **change)).states == {"ignored": 1}
    assert world.trade(trade_id).state == "paid"


def test_a_pending_line_that_is_booked_later_counts_then(world: World) -> None:
    trade_id = world.paid()
    world.bank_says(world.entry(trade_id, status="PDNG"))
    assert world.bank_says(world.entry(trade_id), message_id="MSG-2").states == {"verified": 1}


def test_the_same_file_or_message_is_refused(world: World) -> None:
    trade_id = world.paid()
    world.bank_says(world.entry(trade_id))
    with pytest.raises(Conflict, match="imported already"):
        world.bank_says(world.entry(trade_id))
    with pytest.raises(Conflict, match="imported already"):
        world.bank_says(world.entry(trade_id, bank_ref="other"))
    assert len(world.lines()) == 1


def test_a_line_in_two_files_is_taken_once(world: World) -> None:
    trade_id = world.paid()
    world.bank_says(world.entry(trade_id))
    other = Entry(amount="5.00", payer="Somebody", bank_ref="other", reference="")
    result = world.bank_says(world.entry(trade_id), other, message_id="MSG-2")
    assert (result.lines, result.new) == (2, 1)
    assert len(world.lines()) == 2


def test_a_second_payment_of_one_trade_is_for_a_person(world: World) -> None:
    trade_id = world.locked()
    twice = world.entry(trade_id), world.entry(trade_id, bank_ref="again")
    assert world.bank_says(*twice).states == {"verifying": 1, "manual": 1}
    assert "has a payment already" in str(world.lines()[1].reason)


def test_a_payment_told_again_under_another_reference_verifies_no_second_trade(
    world: World,
) -> None:
    first = world.paid()
    world.bank_says(world.entry(first, reference=""))
    second = world.paid()
    told_again = world.entry(second, reference="")
    assert world.bank_says(told_again, message_id="MSG-2").states == {"manual": 1}
    assert "told once more" in str(world.lines()[1].reason)
    assert world.trade(second).state == "paid"


def test_two_trades_of_one_amount_are_told_apart_by_reference_only(world: World) -> None:
    first, second = world.paid(), world.paid()
    unnamed = world.entry(first, reference="")
    assert world.bank_says(unnamed).states == {"manual": 1}
    world.bank_says(world.entry(second), message_id="MSG-2")
    assert [world.trade(t).state for t in (first, second)] == ["paid", "verified"]


def test_a_payment_for_a_trade_that_was_cancelled_is_for_a_person(world: World) -> None:
    trade_id = world.locked()
    world.bank_says(world.entry(trade_id))
    world.engine.submit(
        {"kind": "cancel_trade", "trade_id": trade_id, "actor": world.buyer[0], "reason": "no"}
    )
    assert run_verifying(world.context) == 0
    (line,) = world.lines()
    assert line.state == "manual"
    assert "cancelled by now" in str(line.reason)


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        camt053(Entry(), Entry(amount="x", bank_ref="2")),
        camt053(),
    ],
)
def test_a_bad_file_leaves_nothing_behind(world: World, content: bytes) -> None:
    before = audit_events(world)
    with pytest.raises(InvalidInput):
        service.import_statement(world.desk, "user:99", "bad.xml", content)
    assert world.lines() == []
    with world.database.reader() as session:
        assert session.scalar(select(func.count()).select_from(BankStatement)) == 0
    assert audit_events(world) == before


def test_an_unknown_method_is_refused(world: World) -> None:
    with pytest.raises(NotFound, match="pigeon"):
        service.import_statement(world.desk, "user:99", "x", b"", method="pigeon")


def test_who_paid_is_sealed_in_the_database_and_readable_at_the_desk(world: World) -> None:
    trade_id = world.paid()
    world.bank_says(world.entry(trade_id, text="rent of March"))
    (line,) = world.lines()
    stored = " ".join(str(value) for value in vars(line).values())
    for secret in ("Bob Demo", BUYER_IBAN, SELLER_IBAN, "rent of March"):
        assert secret not in stored
    told = service.line_details(world.desk, line)
    assert (told.payer_name, told.payer_account, told.account, told.text) == (
        "Bob Demo",
        BUYER_IBAN,
        SELLER_IBAN,
        "rent of March",
    )


def test_an_engine_that_is_away_is_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade_id = world.paid()
    submit = world.engine.submit

    def away(command: dict[str, Any]) -> dict[str, Any]:
        raise Unavailable("The trading engine does not answer just now.")

    monkeypatch.setattr(world.engine, "submit", away)
    assert world.bank_says(world.entry(trade_id)).states == {"verifying": 1}
    monkeypatch.setattr(world.engine, "submit", submit)
    assert run_verifying(world.context) == 1
    assert world.trade(trade_id).state == "verified"


def test_staff_confirms_a_close_name_and_the_trade_is_verified(world: World) -> None:
    trade_id = world.paid()
    world.bank_says(world.entry(trade_id, payer="B. Demo"))
    (line,) = world.lines()
    assert service.confirm_line(world.desk, line.id, 99) == "verified"
    assert world.trade(trade_id).state == "verified"
    (line,) = world.lines()
    assert (line.decided_by, line.name_match, line.reason) == (99, "CMTC", None)
    with pytest.raises(Conflict, match="waits for no decision"):
        service.confirm_line(world.desk, line.id, 99)


def test_staff_gives_a_line_without_a_trade_to_one_it_pays(world: World) -> None:
    trade_id = world.paid()
    world.bank_says(world.entry(trade_id, reference="", payer_iban="DE75512108001245126199"))
    (line,) = world.lines()
    with pytest.raises(InvalidInput, match="which trade"):
        service.confirm_line(world.desk, line.id, 99)
    assert service.confirm_line(world.desk, line.id, 99, trade_id) == "verified"
    assert world.lines()[0].matched_by == "staff"


@pytest.mark.parametrize("change", [{"payer": "Eve Other"}, {"amount": "1.00"}, {"reversal": True}])
def test_not_even_staff_accepts_what_must_never_be(world: World, change: dict[str, Any]) -> None:
    trade_id = world.paid()
    world.bank_says(world.entry(trade_id, **change))
    (line,) = world.lines()
    with pytest.raises(Conflict):
        service.confirm_line(world.desk, line.id, 99)
    assert (world.lines()[0].state, world.trade(trade_id).state) == ("manual", "paid")


def _raise(expected: str, given: str) -> Any:
    raise RuntimeError("broken")


@pytest.mark.parametrize(
    "compare",
    [_raise, *(lambda e, g, answer=answer: answer for answer in ("NMTC", "MTCH", None, True, 1))],
)
def test_a_gateway_that_says_no_proper_word_about_names_lets_nothing_through(
    world: World, monkeypatch: pytest.MonkeyPatch, compare: Callable[[str, str], Any]
) -> None:
    """Even where the names are the same: what a broken plugin says is no agreement."""
    trade_id = world.paid()
    monkeypatch.setattr(type(world.host.gateway("sepa")), "match_name", staticmethod(compare))
    assert world.bank_says(world.entry(trade_id)).states == {"manual": 1}
    (line,) = world.lines()
    assert line.name_match == "NMTC"
    with pytest.raises(Conflict, match="never accepted"):
        service.confirm_line(world.desk, line.id, 99)
    assert world.trade(trade_id).state == "paid"


@pytest.mark.parametrize("newest_first", [False, True])
def test_money_that_went_back_before_the_buyers_word_verifies_nothing(
    world: World, newest_first: bool
) -> None:
    trade_id = world.locked()
    told = [world.entry(trade_id), world.entry(trade_id, reversal=True, bank_ref="BACK")]
    if newest_first:
        world.bank_says(*reversed(told))
    else:
        world.bank_says(told[0])
        world.bank_says(told[1], message_id="MSG-2")
    world.mark_paid(trade_id)
    assert run_verifying(world.context) == 0
    assert world.trade(trade_id).state == "paid"
    assert {line.state for line in world.lines()} == {"manual"}


def test_staff_dismisses_a_line_with_a_reason(world: World) -> None:
    world.bank_says(Entry(reference=""))
    (line,) = world.lines()
    with pytest.raises(InvalidInput):
        service.dismiss_line(world.desk, line.id, 99, "  ")
    service.dismiss_line(world.desk, line.id, 99, "rent")
    assert world.lines()[0].state == "dismissed"
    with pytest.raises(NotFound):
        service.dismiss_line(world.desk, 12345, 99, "rent")


def audit_events(world: World) -> int:
    with world.database.reader() as session:
        return session.scalar(select(func.count()).select_from(AuditEvent)) or 0
