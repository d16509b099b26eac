"""The entry point: what this package gives the portal."""

from plugins.fee_models.volume_tiers.model import VolumeTiers
from portal.plugin_api import FeeModel, hookimpl

PORTAL_API = "1.1"


@hookimpl
def register_fee_model() -> FeeModel:
    """The volume tiers."""
    return VolumeTiers()
