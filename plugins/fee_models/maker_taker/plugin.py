"""The entry point: what this package gives the portal."""

from plugins.fee_models.maker_taker.model import MakerTaker
from portal.plugin_api import FeeModel, hookimpl

PORTAL_API = "1.0"


@hookimpl
def register_fee_model() -> FeeModel:
    """The maker-taker model."""
    return MakerTaker()
