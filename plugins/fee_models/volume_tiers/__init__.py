"""Volume tiers: who trades more in 30 days pays a lower rate."""

from plugins.fee_models.volume_tiers.plugin import PORTAL_API, register_fee_model

__all__ = ["PORTAL_API", "register_fee_model"]
