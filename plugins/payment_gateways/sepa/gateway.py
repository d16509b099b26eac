"""The gateway: ties accounts, references, QR codes, statements and names together."""

from collections.abc import Mapping

from plugins.payment_gateways.sepa import accounts, camt, epc_qr, names, references
from plugins.payment_gateways.sepa.settings import SepaSettings
from portal.plugin_api import (
    AccountField,
    Asset,
    NameMatch,
    PayeeField,
    PaymentGateway,
    PaymentInstructions,
    PaymentRequest,
    Statement,
)

EUR = Asset("EUR", 2)

_TEXT = (
    "Transfer exactly this amount from your own account, in your own name, with this reference "
    "and nothing else in the remittance field. A payment from somebody else's account can't be "
    "accepted. When your bank has taken the order, come back and mark the trade as paid."
)


class SepaGateway(PaymentGateway):
    """Euro credit transfers within the SEPA area, verified against camt.053 statements."""

    slug = "sepa"
    label = "SEPA bank transfer"
    settings_model = SepaSettings

    def currencies(self, settings: SepaSettings) -> tuple[Asset, ...]:
        """Euros only."""
        return (EUR,)

    def account_fields(self) -> tuple[AccountField, ...]:
        """IBAN, holder, and a BIC where the bank is outside the EEA."""
        return accounts.FIELDS

    def check_account(self, values: Mapping[str, str], settings: SepaSettings) -> dict[str, str]:
        """Adds the checksums, the SEPA area and the BIC rule to the plain field checks."""
        return accounts.normalised(super().check_account(values, settings))

    def account_identity(self, account: Mapping[str, str]) -> str:
        """The IBAN."""
        return account["iban"]

    def account_label(self, account: Mapping[str, str]) -> str:
        """DE89 … 3000."""
        return accounts.label(account["iban"])

    def reference(self, trade_id: int) -> str:
        """An ISO 11649 creditor reference."""
        return references.creditor_reference(trade_id)

    def trade_of(self, reference: str) -> int | None:
        """The number in our own creditor references."""
        return references.trade_of(reference)

    def references_in(self, text: str) -> tuple[str, ...]:
        """RF references with right check digits."""
        return references.find_references(text)

    def window_seconds(self, settings: SepaSettings) -> int:
        """As the operator set it."""
        return settings.window_hours * 3600

    def instructions(self, request: PaymentRequest, settings: SepaSettings) -> PaymentInstructions:
        """Copyable fields, and the QR code where the amount fits in one."""
        payee = request.payee
        rows = [
            PayeeField("holder", "Account holder", payee["holder"]),
            PayeeField("iban", "IBAN", accounts.grouped(payee["iban"])),
        ]
        if payee.get("bic"):
            rows.append(PayeeField("bic", "BIC", payee["bic"]))
        return PaymentInstructions(
            payee=tuple(rows),
            amount=request.amount,
            reference=references.grouped(request.reference),
            qr_svg=self._qr(request),
            text=_TEXT,
            window_seconds=self.window_seconds(settings),
        )

    def parse_statement(self, content: bytes, settings: SepaSettings) -> Statement:
        """A camt.053 file of any version from 02 to 12."""
        return camt.parse(content, max_bytes=settings.max_statement_mb * 1024 * 1024)

    def match_name(self, expected: str, given: str) -> NameMatch:
        """See `names`."""
        return names.match_names(expected, given)

    def _qr(self, request: PaymentRequest) -> str | None:
        if request.amount.asset != EUR or not 0 < request.amount.units <= epc_qr.LARGEST_CENTS:
            return None
        payee = request.payee
        return epc_qr.svg(
            holder=payee["holder"],
            iban=payee["iban"],
            bic=payee.get("bic", ""),
            amount=request.amount,
            reference=request.reference,
        )
