"""Composed fees: which model counts, by market, country and payment method."""

from plugins.fee_models.composed.plugin import PORTAL_API, register_fee_model

__all__ = ["PORTAL_API", "register_fee_model"]
