"""The entry point: what this package gives the portal."""

from plugins.fee_models.flat.model import Flat
from portal.plugin_api import FeeModel, hookimpl

PORTAL_API = "1.1"


@hookimpl
def register_fee_model() -> FeeModel:
    """The flat fees."""
    return Flat()
