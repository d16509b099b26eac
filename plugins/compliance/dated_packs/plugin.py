"""The entry point: what this package gives the portal."""

from plugins.compliance.dated_packs.rules import DatedPacks
from portal.plugin_api import ComplianceRules, hookimpl

PORTAL_API = "1.1"


@hookimpl
def register_compliance_rules() -> ComplianceRules:
    """The dated packs."""
    return DatedPacks()
