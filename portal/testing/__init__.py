"""For partners: what a plugin must hold, as numbered test cases, and facts to ask it about.

Subclass a suite in a test module of your package, name your provider, and run pytest:

    from portal.testing import FeeModelConformance

    class TestFlat(FeeModelConformance):
        provider = Flat()

Public like `portal.plugin_api`, and of the same version.
"""

from portal.testing.compliance import ComplianceConformance
from portal.testing.facts import order_facts, party_facts, trade_facts
from portal.testing.fees import FeeModelConformance
from portal.testing.gateways import GatewayConformance
from portal.testing.providers import ProviderConformance

__all__ = [
    "ComplianceConformance",
    "FeeModelConformance",
    "GatewayConformance",
    "ProviderConformance",
    "order_facts",
    "party_facts",
    "trade_facts",
]
