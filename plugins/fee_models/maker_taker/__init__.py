"""Maker-taker fees: one rate for the order that was there first, one for the order that came."""

from plugins.fee_models.maker_taker.plugin import PORTAL_API, register_fee_model

__all__ = ["PORTAL_API", "register_fee_model"]
