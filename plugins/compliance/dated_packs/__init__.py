"""Dated packs: the rules of each place as YAML, each rule with its source and its days."""

from plugins.compliance.dated_packs.plugin import PORTAL_API, register_compliance_rules

__all__ = ["PORTAL_API", "register_compliance_rules"]
