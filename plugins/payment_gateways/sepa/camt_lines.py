"""From camt.053 entries to statement lines, across the versions of the format.

The versions differ in where a value sits (a status is a word or a choice, a party is itself or
wrapped), which is why values are looked up by `_dig` along the possible paths.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from babel.numbers import get_currency_precision
from schwifty import IBAN

from plugins.payment_gateways.sepa.refusal import refuse
from portal.plugin_api import Asset, InvalidInput, Money, StatementLine

_STATUS: dict[str, Literal["booked", "pending"]] = {"BOOK": "booked", "PDNG": "pending"}
_NO_REFERENCE = frozenset({"", "NONREF", "NOTPROVIDED"})
_BANK = "bank:"


def lines_of(
    statements: list[Any], statement_numbers: list[int], entry_numbers: list[int]
) -> Iterator[StatementLine]:
    """Every line of every account, in file order.

    The numbers are the lines of the file where each statement and each entry begins.
    Raises InvalidInput naming the line.
    """
    seen: Counter[str] = Counter()
    numbers = iter(entry_numbers)
    for statement, number in zip(statements, statement_numbers, strict=True):
        account = _account(statement, number)
        for entry in statement.ntry:
            for line in _entry_lines(entry, account, next(numbers)):
                yield _named(line, seen)


def _entry_lines(entry: Any, account: str, number: int) -> Iterator[StatementLine]:
    """One line per transaction of a batch booking whose parts are told; else one in all."""
    total = _money(entry.amt, number)
    details = [item for group in entry.ntry_dtls for item in group.tx_dtls]
    parts = [_part_amount(item, number) for item in details]
    whole = len(details) <= 1
    if not whole and (None in parts or sum(p.units for p in parts if p) != total.units):
        # The bank did not tell who paid which part: a person has to look.
        details, whole = [], True
    for index, detail in enumerate(details or [None]):
        amount = total if whole else parts[index]
        assert amount is not None
        suffix = "" if whole else f"/{index + 1}"
        yield _line(entry, detail, account, amount, suffix, number)


def _line(
    entry: Any, detail: Any, account: str, amount: Money, suffix: str, number: int
) -> StatementLine:
    direction = _value(_dig(detail, "cdt_dbt_ind") or entry.cdt_dbt_ind)
    return StatementLine(
        entry_ref=_bank_reference(entry, detail, suffix),
        account=account,
        amount=amount,
        direction="credit" if direction == "CRDT" else "debit",
        booking_date=_date(entry.bookg_dt),
        status=_STATUS.get(_value(_dig(entry, "sts.cd") or entry.sts), "other"),
        # A return is a credit too, of money that we had sent.
        reversal=bool(entry.rvsl_ind) or _dig(detail, "rtr_inf") is not None,
        payer_name=_text(detail, "rltd_pties.dbtr.pty.nm") or _text(detail, "rltd_pties.dbtr.nm"),
        payer_account=_payer_account(detail),
        references=_references(detail),
        text=_remittance(entry, detail),
        source_line=number,
    )


def _bank_reference(entry: Any, detail: Any, suffix: str) -> str:
    """Marked with `_BANK` when it is the bank's own, unique on the account."""
    for own in (_text(entry, "acct_svcr_ref"), _text(detail, "refs.acct_svcr_ref")):
        if own not in _NO_REFERENCE:
            return _BANK + own + suffix
    return _text(entry, "ntry_ref") + suffix


def _account(statement: Any, number: int) -> str:
    iban = _text(statement, "acct.id.iban")
    if not iban:
        raise refuse(number, "its account has no IBAN")
    try:
        return str(IBAN(iban))
    except ValueError as error:
        raise refuse(number, f"the account {iban[:40]} is no valid IBAN ({error})") from error


def _part_amount(detail: Any, number: int) -> Money | None:
    amount = _dig(detail, "amt") or _dig(detail, "amt_dtls.tx_amt.amt")
    return _money(amount, number) if amount is not None else None


def _money(amount: Any, number: int) -> Money:
    value, currency = amount.value, amount.ccy
    if not isinstance(value, Decimal) or not value.is_finite() or value < 0 or not currency:
        raise refuse(number, f"{value} {currency} is no amount")
    asset = Asset(currency, get_currency_precision(currency))
    try:
        return Money.parse(f"{value:f}", asset)
    except InvalidInput as error:
        raise refuse(number, f"the amount {value:f} {currency} does not fit: {error}") from error


def _payer_account(detail: Any) -> str:
    found = _text(detail, "rltd_pties.dbtr_acct.id.iban")
    found = found or _text(detail, "rltd_pties.dbtr_acct.id.othr.id")
    return found.replace(" ", "").upper()


def _references(detail: Any) -> tuple[str, ...]:
    structured = _dig(detail, "rmt_inf.strd") or []
    found = [_text(item, "cdtr_ref_inf.ref") for item in structured]
    found.append(_text(detail, "refs.end_to_end_id"))
    tidy = (item.replace(" ", "").upper() for item in found)
    return tuple(dict.fromkeys(item for item in tidy if item not in _NO_REFERENCE))


def _remittance(entry: Any, detail: Any) -> str:
    parts = list(_dig(detail, "rmt_inf.ustrd") or [])
    for item in _dig(detail, "rmt_inf.strd") or []:
        parts.extend(item.addtl_rmt_inf)
    parts += [_text(detail, "addtl_tx_inf"), _text(entry, "addtl_ntry_inf")]
    return " ".join(part.strip() for part in parts if part and part.strip())


def _named(line: StatementLine, seen: Counter[str]) -> StatementLine:
    """The bank's own reference where it is unique; else one made of the content as well.

    An entry reference may be no more than a number within its statement, and some banks give
    none: the content keeps tomorrow's "1" apart from today's. Equal lines are numbered.
    """
    if line.entry_ref.startswith(_BANK):
        return replace(line, entry_ref=line.entry_ref.removeprefix(_BANK))
    told = (line.entry_ref, line.account, str(line.amount), line.direction, line.payer_name,
            str(line.booking_date), line.payer_account, *line.references, line.text)  # fmt: skip
    digest = hashlib.sha256("\x1f".join(told).encode()).hexdigest()[:32]
    seen[digest] += 1
    return replace(line, entry_ref=f"{line.entry_ref or 'entry'}:{digest}/{seen[digest]}")


def _date(choice: Any) -> date | None:
    if choice is None:
        return None
    if choice.dt is not None:
        return date(choice.dt.year, choice.dt.month, choice.dt.day)
    moment = choice.dt_tm
    return date(moment.year, moment.month, moment.day) if moment is not None else None


def _dig(root: Any, path: str) -> Any:
    for name in path.split("."):
        root = getattr(root, name, None)
        if root is None:
            return None
    return root


def _text(root: Any, path: str) -> str:
    found = _dig(root, path)
    return str(found).strip() if found is not None else ""


def _value(code: Any) -> str:
    return str(getattr(code, "value", code))
