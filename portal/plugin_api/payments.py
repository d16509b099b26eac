"""Payment gateways: how the money side of a trade is told, found and checked."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Literal

from portal.core.errors import InvalidInput
from portal.core.money import Asset, Money
from portal.plugin_api.payment_terms import Capability, PaymentTerms, Reversibility
from portal.plugin_api.provider import Provider
from portal.plugin_api.remote_payments import (
    Outcome,
    PaymentStatus,
    StartedPayment,
    WebhookEvent,
    WebhookRequest,
)


class NameMatch(StrEnum):
    """How well two names agree, in the words of verification of payee (EPC 218-23)."""

    MATCH = "MTCH"
    CLOSE = "CMTC"
    NO_MATCH = "NMTC"
    NOT_POSSIBLE = "NOAP"


@dataclass(frozen=True, slots=True)
class AccountField:
    """One field of a payment account, from which the trader's form is drawn.

    Attributes:
        pattern: regular expression that the whole value must match (blanks at the ends cut).
        secret: stored encrypted and shown only to the two parties of a trade and to staff.
        labels: the label in other languages, by language code ("zh"); since 1.2.
        banned_prefixes: beginnings that are refused whatever the pattern says, because money sent
            there can't be proved or comes from a source of fraud; since 1.2.
    """

    name: str
    label: str
    pattern: str
    example: str
    required: bool = True
    secret: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    banned_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PayeeField:
    """A line of payment instructions that the buyer copies into the banking app."""

    name: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What the portal wants paid.

    Attributes:
        payee: the payee's account as `check_account` returned it.
        reference: as `reference` made it for this trade.
    """

    trade_id: int
    amount: Money
    payee: Mapping[str, str]
    reference: str


@dataclass(frozen=True, slots=True)
class PaymentInstructions:
    """What the buyer sees.

    Attributes:
        payee: copyable fields, in the order to show them.
        qr_svg: an SVG document to scan with a banking app, or None where the rail has none.
        text: what to do and what not to do, one short paragraph.
        window_seconds: how long the buyer has.
        qr_payload: the text inside the QR code, for people who pay on the phone they read it on;
            since 1.2.
        deep_link: an address that opens the paying app with everything filled in; since 1.2.
    """

    payee: tuple[PayeeField, ...]
    amount: Money
    reference: str
    qr_svg: str | None
    text: str
    window_seconds: int
    qr_payload: str | None = None
    deep_link: str | None = None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement on a bank account.

    Attributes:
        entry_ref: the bank's reference, unique on the account; imports are deduplicated by it.
        account: the account the statement is of (an IBAN, without blanks, upper case).
        amount: never negative; `direction` says which way.
        references: structured ones: creditor reference, end-to-end id.
        text: unstructured remittance information.
        source_line: line of the file it came from.
    """

    entry_ref: str
    account: str
    amount: Money
    direction: Literal["credit", "debit"]
    booking_date: date | None
    status: Literal["booked", "pending", "other"]
    reversal: bool
    payer_name: str
    payer_account: str
    references: tuple[str, ...]
    text: str
    source_line: int

    @property
    def outcome(self) -> Outcome:
        """What this line proves: only a booked credit that is no reversal is a payment."""
        if self.reversal:
            return Outcome.CANCELED
        if self.direction == "debit":
            return Outcome.UNDEFINED
        known = {"booked": Outcome.PROCESSED, "pending": Outcome.PENDING}
        return known.get(self.status, Outcome.UNDEFINED)


@dataclass(frozen=True, slots=True)
class Statement:
    """A bank statement file: its own message id and every line of every account in it."""

    message_id: str
    lines: tuple[StatementLine, ...]


class PaymentGateway(Provider):
    """One way of paying local money.

    Attributes:
        capabilities: what it can do; the portal never calls what is not listed. Since 1.2.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PAY_IN, Capability.STATEMENT}
    )

    @abstractmethod
    def currencies(self, settings: Any) -> tuple[Asset, ...]:
        """The local money this rail moves."""

    @abstractmethod
    def account_fields(self) -> tuple[AccountField, ...]:
        """The form of a payment account."""

    def check_account(self, values: Mapping[str, str], settings: Any) -> dict[str, str]:
        """The account in its stored form. Raises InvalidInput naming the field.

        This one checks names, presence and patterns; a gateway adds its checksums.
        """
        fields = {field.name: field for field in self.account_fields()}
        for name in values:
            if name not in fields:
                raise InvalidInput(
                    f"{self.label} has no field {name}.",
                    field=name,
                    hint=f"Its fields are {', '.join(fields)}.",
                )
        return {name: _checked(field, values.get(name)) for name, field in fields.items()}

    @abstractmethod
    def account_identity(self, account: Mapping[str, str]) -> str:
        """The name under which statements know this account (for SEPA, its IBAN)."""

    @abstractmethod
    def account_label(self, account: Mapping[str, str]) -> str:
        """A short name of the account that gives little away: "DE89 … 3000"."""

    @abstractmethod
    def reference(self, trade_id: int) -> str:
        """The unique reference of this trade; always the same for the same trade."""

    @abstractmethod
    def trade_of(self, reference: str) -> int | None:
        """The trade whose `reference` this is; None when it can't be one of ours."""

    def references_in(self, text: str) -> tuple[str, ...]:
        """Every well-formed reference in a free text, in stored form (upper case, no blanks)."""
        return ()

    def terms(self, settings: Any) -> PaymentTerms:
        """Limits, reversibility and hold curve. Since 1.2; without it: no limits, no hold."""
        return PaymentTerms(Reversibility.RECALL)

    @abstractmethod
    def window_seconds(self, settings: Any) -> int:
        """How long the buyer has to pay."""

    @abstractmethod
    def instructions(self, request: PaymentRequest, settings: Any) -> PaymentInstructions:
        """What the buyer must do."""

    def parse_statement(self, content: bytes, settings: Any) -> Statement:
        """Read a bank statement; only with `Capability.STATEMENT`.

        Raises InvalidInput naming the line for anything it can't read: a statement is taken
        whole or not at all.
        """
        raise InvalidInput(f"{self.label} has no statements.", field="statement")

    def match_name(self, expected: str, given: str) -> NameMatch:
        """Does the payer's name on the statement belong to the expected person?"""
        return NameMatch.NOT_POSSIBLE

    def start_payment(self, request: PaymentRequest, settings: Any) -> StartedPayment:
        """Make the payment at the company; only with `Capability.HOSTED`. Since 1.2.

        Starting it again for the same reference gives the same payment. May raise anything: the
        portal then treats the payment as UNDEFINED and asks again.
        """
        raise NotImplementedError(f"{self.slug} has no hosted payments")

    def payment_status(self, payment_ref: str, settings: Any) -> PaymentStatus:
        """Ask the company; only with `Capability.VERIFY`. Since 1.2."""
        raise NotImplementedError(f"{self.slug} can't be asked about payments")

    def refund(self, payment_ref: str, amount: Money, key: str, settings: Any) -> PaymentStatus:
        """Send money back to the payer; only with `Capability.REFUND`. Since 1.2.

        The same `key` refunds once, however often it is asked.
        """
        raise NotImplementedError(f"{self.slug} makes no refunds")

    def read_webhook(self, request: WebhookRequest, settings: Any) -> WebhookEvent | None:
        """Verify and read a webhook; only with `Capability.WEBHOOK`. Since 1.2.

        Raises BadSignature when it is not the company's or too old, InvalidInput when it can't
        be read. None for an event that concerns no payment. Must not call anybody.
        """
        raise NotImplementedError(f"{self.slug} takes no webhooks")


def _checked(field: AccountField, value: object) -> str:
    if value is None or value == "":
        if field.required:
            raise InvalidInput(
                f"{field.label} is missing.", field=field.name, hint=f"Like {field.example}."
            )
        return ""
    if not isinstance(value, str) or not re.fullmatch(field.pattern, value.strip()):
        raise InvalidInput(
            f"{field.label} does not look right.",
            field=field.name,
            value=value,
            hint=f"Write it like {field.example}.",
        )
    _check_prefix(field, value.strip())
    return value.strip()


def _check_prefix(field: AccountField, value: str) -> None:
    banned = next((p for p in field.banned_prefixes if value.upper().startswith(p.upper())), None)
    if banned is not None:
        raise InvalidInput(
            f"{field.label} must not begin with {banned}: payments there are not taken.",
            field=field.name,
            value=value,
            hint="Use another account of yours.",
        )
