import string

from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso11649

from plugins.payment_gateways.sepa.references import (
    creditor_reference,
    find_references,
    grouped,
    trade_of,
)

TRADES = st.integers(0, 2**63 - 1)


def test_the_vector_is_found() -> None:
    assert find_references("invoice RF84P2P7Q4KX2 thank you") == ("RF84P2P7Q4KX2",)


def test_a_foreign_reference_is_no_trade_of_ours() -> None:
    assert trade_of("RF84P2P7Q4KX2") is None
    assert trade_of("") is None
    assert trade_of("RF00TR000001") is None


@given(TRADES)
def test_a_reference_is_valid_and_names_its_trade(trade_id: int) -> None:
    reference = creditor_reference(trade_id)
    assert iso11649.is_valid(reference)
    assert len(reference) <= 25
    assert trade_of(reference) == trade_id


@given(
    TRADES, st.sampled_from(["{}", "{}.", "pay {} now", "abc {} RF", "x/{}/y", "{} 123", "RF00 {}"])
)
def test_a_reference_is_found_in_text_however_it_is_grouped(trade_id: int, around: str) -> None:
    reference = creditor_reference(trade_id)
    for written in (reference, grouped(reference), reference.lower()):
        assert reference in find_references(around.format(written))


@given(TRADES, st.integers(0, 24), st.sampled_from(string.digits + string.ascii_uppercase))
def test_a_wrong_character_never_names_another_trade(trade_id: int, at: int, typed: str) -> None:
    reference = creditor_reference(trade_id)
    at %= len(reference)
    wrong = reference[:at] + typed + reference[at + 1 :]
    assert trade_of(wrong) == (trade_id if wrong == reference else None)


@given(TRADES, st.integers(0, 23))
def test_two_swapped_neighbours_never_name_another_trade(trade_id: int, at: int) -> None:
    reference = creditor_reference(trade_id)
    at %= len(reference) - 1
    wrong = reference[:at] + reference[at + 1] + reference[at] + reference[at + 2 :]
    assert trade_of(wrong) == (trade_id if wrong == reference else None)


def test_two_references_are_both_found() -> None:
    one, other = creditor_reference(1), creditor_reference(2)
    assert find_references(f"{one}, {other}") == (one, other)
    assert find_references(f"{one} {other}") == (one, other)


def test_a_reference_after_something_that_looks_like_one_is_found() -> None:
    assert creditor_reference(5) in find_references(f"RF12 {creditor_reference(5)}")
