"""The public interface of plugins, version 1.2. A plugin imports this package and nothing else
of the portal.

Within 1.x, names are only added. A plugin written for 1.y loads on every 1.z with z >= y.
"""

from portal.core.errors import InvalidInput, PortalError
from portal.core.money import Asset, Money
from portal.plugin_api.compliance import ComplianceRules, Decision, Verdict
from portal.plugin_api.facts import OrderFacts, PartyFacts, Side, TradeFacts, WalletFacts
from portal.plugin_api.fees import (
    FeeModel,
    Fees,
    SideFee,
    SideFeeModel,
    SideRole,
    party_of,
    percent,
    rate_fee,
)
from portal.plugin_api.hookspecs import PROJECT, hookimpl, hookspec
from portal.plugin_api.payment_terms import Capability, HoldStep, PaymentTerms, Reversibility
from portal.plugin_api.payments import (
    AccountField,
    NameMatch,
    PayeeField,
    PaymentGateway,
    PaymentInstructions,
    PaymentRequest,
    Statement,
    StatementLine,
)
from portal.plugin_api.provider import Provider, ProviderSettings
from portal.plugin_api.remote_payments import (
    BadSignature,
    Outcome,
    PaymentStatus,
    StartedPayment,
    WebhookEvent,
    WebhookRequest,
)

API_VERSION = "1.2"

__all__ = [
    "API_VERSION",
    "PROJECT",
    "AccountField",
    "Asset",
    "BadSignature",
    "Capability",
    "ComplianceRules",
    "Decision",
    "FeeModel",
    "Fees",
    "HoldStep",
    "InvalidInput",
    "Money",
    "NameMatch",
    "OrderFacts",
    "Outcome",
    "PartyFacts",
    "PayeeField",
    "PaymentGateway",
    "PaymentInstructions",
    "PaymentRequest",
    "PaymentStatus",
    "PaymentTerms",
    "PortalError",
    "Provider",
    "ProviderSettings",
    "Reversibility",
    "Side",
    "SideFee",
    "SideFeeModel",
    "SideRole",
    "StartedPayment",
    "Statement",
    "StatementLine",
    "TradeFacts",
    "Verdict",
    "WalletFacts",
    "WebhookEvent",
    "WebhookRequest",
    "hookimpl",
    "hookspec",
    "party_of",
    "percent",
    "rate_fee",
]
