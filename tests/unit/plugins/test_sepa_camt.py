from datetime import date

import pytest

from plugins.payment_gateways.sepa.gateway import SepaGateway
from plugins.payment_gateways.sepa.settings import SepaSettings
from portal.plugin_api import InvalidInput, Outcome, StatementLine
from tests.statements import BUYER_IBAN, SELLER_IBAN, Entry, camt053

GATEWAY = SepaGateway()


def lines(content: bytes) -> tuple[StatementLine, ...]:
    return GATEWAY.parse_statement(content, SepaSettings()).lines


def only(entry: Entry, version: int = 8) -> StatementLine:
    (line,) = lines(camt053(entry, version=version))
    return line


@pytest.mark.parametrize("version", range(2, 13))
def test_every_version_gives_the_same_line(version: int) -> None:
    entry = Entry(reference="RF84 P2P7 Q4KX 2", text="thank you", end_to_end="E2E-1")
    statement = GATEWAY.parse_statement(camt053(entry, version=version), SepaSettings())
    assert statement.message_id == "MSG-1"
    (line,) = statement.lines
    assert line.account == SELLER_IBAN
    assert str(line.amount) == "92.00 EUR"
    assert line.outcome is Outcome.PROCESSED
    assert (line.direction, line.status, line.reversal) == ("credit", "booked", False)
    assert line.booking_date == date(2026, 3, 2)
    assert (line.payer_name, line.payer_account) == ("Bob Demo", BUYER_IBAN)
    assert line.references == ("RF84P2P7Q4KX2", "E2E-1")
    assert line.text == "thank you"
    assert line.entry_ref == "2026030200001"
    assert line.source_line == 5


@pytest.mark.parametrize(
    ("entry", "outcome"),
    [
        (Entry(status="PDNG"), Outcome.PENDING),
        (Entry(status="INFO"), Outcome.UNDEFINED),
        (Entry(direction="DBIT"), Outcome.UNDEFINED),
        (Entry(reversal=True), Outcome.CANCELED),
        (Entry(returned=True), Outcome.CANCELED),
    ],
)
def test_only_a_booked_credit_is_a_payment(entry: Entry, outcome: Outcome) -> None:
    assert only(entry).outcome is outcome


def test_a_bank_that_gives_no_references_gets_them_from_the_content() -> None:
    entry = Entry(bank_ref="")
    one, other = lines(camt053(entry, entry))
    assert one.entry_ref != other.entry_ref
    again = lines(camt053(entry, entry, message_id="MSG-2"))
    assert [one.entry_ref, other.entry_ref] == [line.entry_ref for line in again]


def test_a_number_within_the_statement_does_not_hide_the_next_days_payment() -> None:
    monday = only(Entry(bank_ref="", entry_ref="1"))
    tuesday = only(Entry(bank_ref="NONREF", entry_ref="1", booked="2026-03-03"))
    assert monday.entry_ref != tuesday.entry_ref


def test_a_batch_is_taken_apart() -> None:
    parts = Entry(amount="50.00", text="a"), Entry(amount="42.00", payer="Eve Demo", text="b")
    details = "".join(part.details(amount=True) for part in parts)
    whole = Entry().xml()
    batch = whole.replace(Entry().details(), details)
    got = lines(camt053(batch))
    assert [(str(line.amount), line.payer_name, line.entry_ref) for line in got] == [
        ("50.00 EUR", "Bob Demo", "2026030200001/1"),
        ("42.00 EUR", "Eve Demo", "2026030200001/2"),
    ]


def test_a_batch_whose_parts_do_not_add_up_stays_whole_and_names_nobody() -> None:
    details = Entry(amount="50.00").details(amount=True) * 2
    (line,) = lines(camt053(Entry().xml().replace(Entry().details(), details)))
    assert (str(line.amount), line.payer_name) == ("92.00 EUR", "")


def test_other_currencies_keep_their_places() -> None:
    assert str(only(Entry(amount="1200", currency="JPY")).amount) == "1200 JPY"


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">&b;</Document>"""
FILE = BOMB.replace(b'<!ENTITY a "lol">', b'<!ENTITY a SYSTEM "file:///etc/passwd">')
GOOD = camt053(Entry(), Entry(bank_ref="2"))


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (BOMB, 2, "DTD"),
        (FILE, 2, "DTD"),
        (BOMB.decode().encode("utf-16"), 2, "DTD"),
        (b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x/>', 1, "DTD"),
        (b"", 1, "not well-formed"),
        (b"\x00\xff\xfe", 1, "not well-formed"),
        (b"hello;world\n1;2", 1, "not well-formed"),
        (GOOD[:-30], 7, "not well-formed"),
        (b"<Document/>", 1, "not a camt.053"),
        (GOOD.replace(b"camt.053", b"camt.052"), 2, "not a camt.053"),
        (GOOD.replace(b"001.08", b"001.99"), 2, "not a camt.053"),
        (b"<a>" * 41 + b"</a>" * 41, 1, "nested"),
        (camt053(Entry(), Entry(amount="12,50", bank_ref="2")), 6, "camt.053"),
        (camt053(Entry(), Entry(amount="-1.00", bank_ref="2")), 6, "no amount"),
        (camt053(Entry(), Entry(amount="1.001", bank_ref="2")), 6, "does not fit"),
        (camt053(Entry(), Entry(amount="NaN", bank_ref="2")), 6, "no amount"),
        (camt053(Entry(amount="9" * 40)), 5, "does not fit"),
        (camt053(Entry(direction="XXXX")), 5, "camt.053"),
        (camt053(Entry(booked="2026-02-31")), 5, "camt.053"),
        (camt053(Entry().xml().replace("<Sts>", "<Xyz>").replace("</Sts>", "</Xyz>")), 5, "Xyz"),
        (camt053(Entry().xml().replace("BookgDt", "Extra")), 5, "Extra"),
        (camt053(Entry(), account="DE89370400440532013001"), 4, "IBAN"),
        (
            GOOD.replace(b"IBAN>", b"Othr>", 1).replace(b"IBAN>", b"Othr>", 1),
            4,
            "AccountIdentification",
        ),
        (GOOD.replace(b"<MsgId>MSG-1</MsgId>", b""), 3, "camt.053"),
    ],
)
def test_a_hostile_or_broken_file_is_refused_with_its_line(
    content: bytes, line: int, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        lines(content)
    assert caught.value.field == "statement"
    assert caught.value.message.startswith(f"Line {line} ")
    assert "Nothing of this file was imported" in str(caught.value.hint)


def test_a_file_over_the_limit_is_not_read() -> None:
    with pytest.raises(InvalidInput, match="at most 1,048,576"):
        GATEWAY.parse_statement(b"<" * 1_048_577, SepaSettings(max_statement_mb=1))


def test_text_is_taken_as_text() -> None:
    line = only(Entry(text="<script>alert(1)</script> & co", payer="O'Brien & Söhne"))
    assert line.text == "<script>alert(1)</script> & co"
    assert line.payer_name == "O'Brien & Söhne"
