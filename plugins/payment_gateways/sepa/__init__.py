"""SEPA credit transfers: IBAN accounts, RF references, EPC QR codes, camt.053 statements."""

from plugins.payment_gateways.sepa.plugin import PORTAL_API, register_payment_gateway

__all__ = ["PORTAL_API", "register_payment_gateway"]
