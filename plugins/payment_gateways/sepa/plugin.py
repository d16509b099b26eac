"""The entry point: what this package gives the portal."""

from plugins.payment_gateways.sepa.gateway import SepaGateway
from portal.plugin_api import PaymentGateway, hookimpl

PORTAL_API = "1.0"


@hookimpl
def register_payment_gateway() -> PaymentGateway:
    """The SEPA gateway."""
    return SepaGateway()
