"""The public interface of plugins, version 1.1. A plugin imports this package and nothing else
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
from portal.plugin_api.payments import (
    AccountField,
    NameMatch,
    Outcome,
    PayeeField,
    PaymentGateway,
    PaymentInstructions,
    PaymentRequest,
    Statement,
    StatementLine,
)
from portal.plugin_api.provider import Provider, ProviderSettings

API_VERSION = "1.1"

__all__ = [
    "API_VERSION",
    "PROJECT",
    "AccountField",
    "Asset",
    "ComplianceRules",
    "Decision",
    "FeeModel",
    "Fees",
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
    "PortalError",
    "Provider",
    "ProviderSettings",
    "Side",
    "SideFee",
    "SideFeeModel",
    "SideRole",
    "Statement",
    "StatementLine",
    "TradeFacts",
    "Verdict",
    "WalletFacts",
    "hookimpl",
    "hookspec",
    "party_of",
    "percent",
    "rate_fee",
]
