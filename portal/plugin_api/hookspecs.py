"""Table of contents of everything a plugin can do.

A plugin is a module named by an entry point of the group `otc_portal.plugins`. It says
`PORTAL_API = "1.0"` (the version it was written for) and implements one or more of the hooks
below with `@hookimpl`. Each hook answers with a provider object, or a list of them.
"""

from collections.abc import Sequence

import pluggy

from portal.plugin_api.compliance import ComplianceRules
from portal.plugin_api.fees import FeeModel
from portal.plugin_api.payments import PaymentGateway

PROJECT = "otc_portal"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_payment_gateway() -> PaymentGateway | Sequence[PaymentGateway]:  # type: ignore[empty-body]
    """A way to pay local money: account form, instructions, statements, name check."""


@hookspec
def register_fee_model() -> FeeModel | Sequence[FeeModel]:  # type: ignore[empty-body]
    """A way to compute the fee of each trade."""


@hookspec
def register_compliance_rules() -> ComplianceRules | Sequence[ComplianceRules]:  # type: ignore[empty-body]
    """Rules that may refuse or hold an order or a trade."""
