"""What every payment gateway must hold."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from portal.plugin_api import (
    Asset,
    InvalidInput,
    Money,
    NameMatch,
    Outcome,
    PaymentGateway,
    PaymentInstructions,
    PaymentRequest,
    Statement,
)
from portal.testing.providers import ProviderConformance

TRADES = (1, 2, 9, 10, 99, 1_234_567, 32_600_000_000_001, 2**53 - 1)
JUNK = ("", " ", "RF", "0", "-1", "x" * 500, "💶", "\x00", "' OR 1=1 --")
# What no statement is; a bomb of entities and one of depth among them.
NO_STATEMENTS = (
    b"",
    b"\x00\xff\xfe",
    b"<",
    b"<a>" * 5_000,
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "aaaaaaaaaa"><!ENTITY c "&b;&b;&b;&b;">]>'
    b"<a>&c;</a>",
    b"not a statement at all",
)


class GatewayConformance(ProviderConformance):
    """Cases G01 to G14 beside those of every provider. Name your `provider`.

    Attributes:
        account: a payment account as a trader types it; the examples of your fields unless said.
        refused_accounts: accounts that must be refused, each with the field that is wrong.
        statement: a statement as the bank gives it, if you have one to show (else G11 and G12
            are skipped).
    """

    provider: ClassVar[PaymentGateway]
    account: ClassVar[Mapping[str, str] | None] = None
    refused_accounts: ClassVar[Sequence[tuple[Mapping[str, str], str]]] = ()
    statement: ClassVar[bytes | None] = None

    @property
    def typed(self) -> dict[str, str]:
        """The account as it is typed."""
        if self.account is not None:
            return dict(self.account)
        return {field.name: field.example for field in self.provider.account_fields()}

    @property
    def stored(self) -> dict[str, str]:
        """The account as it is stored."""
        return self.provider.check_account(self.typed, self.chosen)

    def request(self, trade_id: int = 7) -> PaymentRequest:
        """A payment that is due."""
        money = self.provider.currencies(self.chosen)[0]
        reference = self.provider.reference(trade_id)
        return PaymentRequest(trade_id, Money(money, 123_45), self.stored, reference)

    def test_g01_moves_some_money(self) -> None:
        """At least one currency, each once."""
        found = self.provider.currencies(self.chosen)
        assert found
        assert all(type(one) is Asset for one in found)
        assert len(set(found)) == len(found)

    def test_g02_its_form_explains_itself(self) -> None:
        """Fields have names of their own, labels, and examples that their own patterns take."""
        fields = self.provider.account_fields()
        assert fields
        assert len({field.name for field in fields}) == len(fields)
        assert all(field.label.strip() and field.example for field in fields)

    def test_g03_takes_a_right_account_and_keeps_it(self) -> None:
        """What is stored is a right account itself: checking it again changes nothing."""
        again = self.provider.check_account(self.stored, self.chosen)
        assert again == self.stored

    def test_g04_names_what_is_missing(self) -> None:
        """A required field that is not there, or empty, is named."""
        for field in self.provider.account_fields():
            if field.required:
                for values in ({**self.typed, field.name: ""}, _without(self.typed, field.name)):
                    with pytest.raises(InvalidInput) as caught:
                        self.provider.check_account(values, self.chosen)
                    assert caught.value.field == field.name

    def test_g05_refuses_what_it_does_not_know(self) -> None:
        """A field of no name of its own is refused, and so are accounts that can't be."""
        with pytest.raises(InvalidInput):
            self.provider.check_account({**self.typed, "no_such_field_": "1"}, self.chosen)
        for values, wrong in self.refused_accounts:
            with pytest.raises(InvalidInput) as caught:
                self.provider.check_account(values, self.chosen)
            assert caught.value.field == wrong

    def test_g06_shows_little_of_an_account(self) -> None:
        """Its label is short and does not give the whole identity away."""
        identity = self.provider.account_identity(self.stored)
        label = self.provider.account_label(self.stored)
        assert identity.strip()
        assert 0 < len(label) <= 60
        assert identity not in label

    def test_g07_references_are_unique_and_lasting(self) -> None:
        """One reference a trade, always the same, and no two trades share one."""
        first = [self.provider.reference(trade) for trade in TRADES]
        assert [self.provider.reference(trade) for trade in TRADES] == first
        assert len(set(first)) == len(TRADES)

    def test_g08_references_lead_back(self) -> None:
        """A reference leads to its trade; what is no reference of ours leads nowhere."""
        assert all(self.provider.trade_of(self.provider.reference(t)) == t for t in TRADES)
        assert all(self.provider.trade_of(junk) is None for junk in JUNK)

    def test_g09_finds_references_in_what_people_type(self) -> None:
        """In the middle of a text, in small letters; and none where there is none."""
        reference = self.provider.reference(32_600_000_000_001)
        for text in (reference, f"Rent, {reference} thanks", reference.lower()):
            found = self.provider.references_in(text)
            assert any(self.provider.trade_of(one) == 32_600_000_000_001 for one in found), text
        assert all(not self.provider.references_in(junk) for junk in JUNK)

    def test_g10_tells_the_payer_everything(self) -> None:
        """Whom, how much, with which reference, until when; a QR code carries no script."""
        request = self.request()
        told = self.provider.instructions(request, self.chosen)
        assert type(told) is PaymentInstructions
        assert told.payee
        assert all(row.label.strip() and row.value.strip() for row in told.payee)
        assert told.amount == request.amount
        assert self.provider.trade_of("".join(told.reference.split())) == request.trade_id
        assert told.text.strip()
        assert told.window_seconds == self.provider.window_seconds(self.chosen) > 0
        if told.qr_svg is not None:
            assert "<svg" in told.qr_svg
            assert "<script" not in told.qr_svg.lower()

    def test_g11_reads_a_statement_the_same_every_time(self) -> None:
        """Lines have references that stay, so that a second import changes nothing.

        Skipped when the suite shows no statement.
        """
        found = self._read()
        assert found.lines
        refs = [(line.account, line.entry_ref) for line in found.lines]
        assert all(ref for _, ref in refs)
        assert len(set(refs)) == len(refs)
        assert self._read() == found

    def test_g12_only_a_booked_credit_is_a_payment(self) -> None:
        """Amounts are never negative; a reversal, a debit, a pending booking prove nothing.

        Skipped when the suite shows no statement.
        """
        for line in self._read().lines:
            assert line.amount.units >= 0
            if line.reversal or line.direction == "debit" or line.status != "booked":
                assert line.outcome is not Outcome.PROCESSED

    @pytest.mark.parametrize("content", NO_STATEMENTS, ids=range(len(NO_STATEMENTS)))
    def test_g13_refuses_what_is_no_statement(self, content: bytes) -> None:
        """With a message for people, whatever it is; nothing of it is taken."""
        with pytest.raises(InvalidInput) as caught:
            self.provider.parse_statement(content, self.chosen)
        assert caught.value.message.strip()

    def test_g14_judges_names(self) -> None:
        """The same name matches; another person's never does; no name is no match."""
        match = self.provider.match_name
        assert match("Maria Schmidt", "Maria Schmidt") is NameMatch.MATCH
        assert match("Maria Schmidt", "MARIA  SCHMIDT") in (NameMatch.MATCH, NameMatch.CLOSE)
        assert match("Maria Schmidt", "Viktor Petrov") is NameMatch.NO_MATCH
        assert match("Maria Schmidt", "") is not NameMatch.MATCH
        assert match("", "") is not NameMatch.MATCH

    def _read(self) -> Statement:
        if self.statement is None:
            pytest.skip("the suite shows no statement")
        found = self.provider.parse_statement(self.statement, self.chosen)
        assert type(found) is Statement
        return found


def _without(values: Mapping[str, str], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}
