"""How an order comes into the book, and back into it: new, changed, or after a pause.

An order takes only when its owner acts. Time, an index and a balance only say whether it is in
the book; who comes back is the last at its price.
"""

from typing import Any, Final

from portal.engine.apply.holds import due_hold, is_backed, require_hold, set_hold, walker
from portal.engine.apply.matching import close, end_if_spent, execute, leave_book
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import (
    CANCELLED,
    NO_BALANCE,
    OPEN,
    OUT_OF_HOURS,
    OrderState,
    effective_price,
)
from portal.orders.timers import has_expired, is_open
from portal.orders.walk import Plan

NOTHING_MORE: Final = "Nothing more could be matched at once."
NOT_WHOLE: Final = "It could not be filled whole at once."


def check(state: ShardState, market: MarketInShard, order: OrderState) -> int:
    """What the order has to hold. Raises InvalidInput when its owner can't bring that."""
    due = due_hold(order, market.terms)
    require_hold(state, order, due, input_field="quantity")
    return due


def plan(
    state: ShardState, market: MarketInShard, order: OrderState, limit: int | None
) -> Plan | None:
    """What the order would trade if it came now; changes nothing."""
    if limit is None or order.link is not None or market.terms.status != "open":
        return None
    if why_out(state, order) is not None:
        return None
    found = walker(state, market).plan(order, limit, market.index(state.at_ms), state.at_ms)
    if found is not None and order.tif == "FOK" and (found.left or found.stopped):
        return None
    return found


def enter(
    state: ShardState, market: MarketInShard, order: OrderState, due: int, found: Plan | None
) -> list[int]:
    """Hold what `check` said, trade as planned, and rest or drop what is left; ids of trades."""
    set_hold(state, order, due)
    trades = execute(state, market, order, found) if found is not None else []
    if order.status == OPEN and not end_if_spent(state, order):
        if order.tif == "IOC" or order.tif == "FOK":
            reason = NOTHING_MORE if order.tif == "IOC" else NOT_WHOLE
            close(state, order, CANCELLED, reason)
        else:
            _rest(state, market, order)
    return trades


def reenter(
    state: ShardState, market: MarketInShard, order: OrderState, found: Plan | None
) -> dict[str, Any]:
    """The same for an order that was changed while it was open."""
    set_hold(state, order, due_hold(order, market.terms))
    trades = execute(state, market, order, found) if found is not None else []
    if order.status == OPEN and not end_if_spent(state, order):
        if order.paused is None:
            _rest(state, market, order)
        else:
            state.touch_order(order)
    return {"order_id": order.id, "status": order.status, "trades": trades}


def come_back(state: ShardState, order: OrderState) -> dict[str, Any]:
    """Put back an order whose owner took it out: it may trade at once, unless it only rests."""
    market = state.market(order.market_id)
    order.priority, order.paused = state.new_id(), None
    found = None
    if not order.post_only:
        found = plan(state, market, order, effective_price(order, market.index(state.at_ms)))
    return reenter(state, market, order, found)


def why_out(state: ShardState, order: OrderState) -> str | None:
    """Why an order can't be in the book at this moment, but for its owner's wish."""
    if order.hours and not is_open(order.hours, state.at_ms):
        return OUT_OF_HOURS
    return NO_BALANCE if order.shared and not is_backed(state, order) else None


def do_what_is_due(state: ShardState) -> None:
    """Orders whose time is over go; working hours begin and end."""
    for order_id in state.timers.due(state.at_ms):
        order = state.orders.get(order_id)
        if order is None:
            continue
        if has_expired(order, state.at_ms):
            close(state, order, CANCELLED, "Its time is over.")
            continue
        _place_by(state, order)
        state.timers.watch(order, state.at_ms)
    state.timers.tidy(state.orders, len(state.orders))


def follow_balances(state: ShardState) -> None:
    """Shared orders leave the book without their coins, and come back with them."""
    while state.moved_under:
        owners = sorted(state.moved_under)
        state.moved_under.clear()
        for owner in owners:
            for order in state.open_orders.sharing(owner):
                _place_by(state, order)


def _place_by(state: ShardState, order: OrderState) -> None:
    """Take an order out of the book or put it back, as time and balance have it."""
    if order.paused not in (None, OUT_OF_HOURS, NO_BALANCE):
        return
    why = why_out(state, order)
    if why == order.paused:
        return
    if why is not None:
        leave_book(state, order, why)
        return
    order.priority = state.new_id()
    _rest(state, state.market(order.market_id), order)


def _rest(state: ShardState, market: MarketInShard, order: OrderState) -> None:
    order.paused = why_out(state, order)
    state.touch_order(order)
    if order.paused is None:
        market.book.add(order)
