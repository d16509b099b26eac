"""The smallest real gateway, for tests of what every gateway inherits."""

from collections.abc import Mapping
from typing import Any

from portal.plugin_api import (
    AccountField,
    Asset,
    NameMatch,
    PaymentGateway,
    PaymentInstructions,
    PaymentRequest,
    Statement,
)


class PlainGateway(PaymentGateway):
    """Accounts are four digits; a reference is the trade's number."""

    slug = "plain"
    label = "Plain"

    def currencies(self, settings: Any) -> tuple[Asset, ...]:
        return (Asset("EUR", 2),)

    def account_fields(self) -> tuple[AccountField, ...]:
        return (AccountField("number", "Number", r"\d{4}", "1234"),)

    def account_identity(self, account: Mapping[str, str]) -> str:
        return account["number"]

    def account_label(self, account: Mapping[str, str]) -> str:
        return account["number"]

    def reference(self, trade_id: int) -> str:
        return str(trade_id)

    def trade_of(self, reference: str) -> int | None:
        return int(reference) if reference.isdigit() else None

    def references_in(self, text: str) -> tuple[str, ...]:
        return tuple(word for word in text.split() if word.isdigit())

    def window_seconds(self, settings: Any) -> int:
        return 60

    def instructions(self, request: PaymentRequest, settings: Any) -> PaymentInstructions:
        return PaymentInstructions((), request.amount, request.reference, None, "Pay.", 60)

    def parse_statement(self, content: bytes, settings: Any) -> Statement:
        return Statement("1", ())

    def match_name(self, expected: str, given: str) -> NameMatch:
        return NameMatch.MATCH if expected == given else NameMatch.NO_MATCH
