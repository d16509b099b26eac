"""The entry point: what this package gives the portal."""

from plugins.compliance.regional_rules.rules import RegionalRules
from portal.plugin_api import ComplianceRules, hookimpl

PORTAL_API = "1.0"


@hookimpl
def register_compliance_rules() -> ComplianceRules:
    """The regional rules."""
    return RegionalRules()
