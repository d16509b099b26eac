"""A fee model may leave a side to another model: who says what, put together as one answer."""

from collections.abc import Callable

from portal.core.errors import Conflict
from portal.plugin_api import FeeModel, Fees, SideFee, SideFeeModel, SideRole, TradeFacts

Find = Callable[[str], tuple[FeeModel, object]]


def quote(model: FeeModel, settings: object, facts: TradeFacts, find: Find) -> Fees:
    """The fees by a model and those it leaves a side to; `find` gives a model with its settings.

    Raises Conflict for a model that is left to and leaves on: a chain has no end one can see.
    """
    maker = model.model_for(facts, "maker", settings)
    taker = model.model_for(facts, "taker", settings)
    if maker is None and taker is None:
        return model.quote(facts, settings)
    one = _side(model, settings, facts, "maker", maker, find)
    other = _side(model, settings, facts, "taker", taker, find)
    return Fees(one.fee, other.fee, f"Maker {one.words}; taker {other.words}.")


def _side(
    model: FeeModel,
    settings: object,
    facts: TradeFacts,
    role: SideRole,
    slug: str | None,
    find: Find,
) -> SideFee:
    if slug is None:
        return _own(model, settings, facts, role)
    chosen, values = find(slug)
    if chosen.model_for(facts, role, values) is not None:
        raise Conflict(f"{model.label} leaves the fee to {chosen.label}, which leaves it on.")
    paid = _own(chosen, values, facts, role)
    return SideFee(paid.fee, f"{paid.words} [{chosen.label}]")


def _own(model: FeeModel, settings: object, facts: TradeFacts, role: SideRole) -> SideFee:
    if isinstance(model, SideFeeModel):
        return model.side_fee(facts, role, settings)
    fees = model.quote(facts, settings)
    fee = fees.maker if role == "maker" else fees.taker
    return SideFee(fee, f"{fee.text()}, of: {fees.explanation.rstrip('.')}")
