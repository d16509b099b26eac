"""Promotions: a rate with discounts for a time and a group."""

from plugins.fee_models.promotions.plugin import PORTAL_API, register_fee_model

__all__ = ["PORTAL_API", "register_fee_model"]
