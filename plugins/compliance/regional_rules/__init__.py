"""Regional rules: blocked countries, and limits per identity tier, each with source and date."""

from plugins.compliance.regional_rules.plugin import PORTAL_API, register_compliance_rules

__all__ = ["PORTAL_API", "register_compliance_rules"]
