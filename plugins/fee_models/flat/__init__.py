"""Flat fees: a fixed amount of coins each trade."""

from plugins.fee_models.flat.plugin import PORTAL_API, register_fee_model

__all__ = ["PORTAL_API", "register_fee_model"]
