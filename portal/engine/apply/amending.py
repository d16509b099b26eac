"""Changing orders that are open: price and size, pauses, holidays, and many at once."""

from typing import Any

from portal.core.errors import Conflict, InvalidInput, PortalError
from portal.core.units import MAX_UNITS
from portal.engine.apply import entering, orders
from portal.engine.apply.holds import due_hold, instant, require_hold
from portal.engine.apply.matching import close, leave_book
from portal.engine.apply.order_checks import check_band, check_cost, check_market, check_sizes
from portal.engine.commands import (
    AmendOrder,
    CancelAll,
    MassQuote,
    PauseOrder,
    PlaceOrder,
    SetAway,
)
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import (
    AWAY,
    BUY,
    BY_OWNER,
    CANCELLED,
    MAX_MARGIN_BPS,
    OrderState,
    effective_price,
    keeps_place,
    order_from,
)

_CHANGES = {
    "price": "price_ticks",
    "margin_bps": "margin_bps",
    "floor": "floor_ticks",
    "ceiling": "ceiling_ticks",
    "remaining": "remaining",
    "min_trade": "min_trade",
    "max_trade": "max_trade",
    "expires_ms": "expires_ms",
}


def amend(state: ShardState, command: AmendOrder) -> dict[str, Any]:
    """Change an order in its place where that is fair, else as the last at its price."""
    order = state.order(command.order_id)
    orders.require_owner(order, command.owner)
    orders.require_rest(state, order)
    market = state.market(order.market_id)
    check_market(market.terms)
    wanted = _wanted(command, order)
    _check(state, command, wanted, market)
    keeps = keeps_place(order, wanted)
    require_hold(state, wanted, due_hold(wanted, market.terms), input_field="remaining")
    found = None
    if not keeps and order.paused is None:
        limit = effective_price(wanted, market.index(state.at_ms))
        found = entering.plan(state, market, wanted, limit)
        if found is not None and order.post_only:
            raise Conflict("This order would trade at once.", field="price", value=command.price)
    market.book.remove(order)
    for name in _CHANGES.values():
        setattr(order, name, getattr(wanted, name))
    order.quantity = wanted.quantity
    if not keeps:
        order.priority = state.new_id()
    if command.expires_ms is not None:
        state.timers.watch(order, state.at_ms)
    return entering.reenter(state, market, order, found)


def pause(state: ShardState, command: PauseOrder) -> dict[str, Any]:
    """Take an order out of the book, or put it back as the last at its price."""
    order = state.order(command.order_id)
    orders.require_owner(order, command.owner)
    if command.paused:
        orders.require_rest(state, order)
        leave_book(state, order, BY_OWNER)
        return {"order_id": order.id, "status": order.status, "trades": []}
    if order.paused != BY_OWNER:
        raise Conflict(f"Order {order.id} is not paused.", field="order_id", value=order.id)
    check_market(state.market(order.market_id).terms)
    return entering.come_back(state, order)


def set_away(state: ShardState, command: SetAway) -> dict[str, Any]:
    """Take all of a person's orders out of the book, or put back those that left so."""
    mine = state.open_orders.of(command.owner)
    changed, trades = [], []
    if command.away:
        for order in mine:
            orders.require_rest(state, order)
    for order in mine:
        if command.away and order.paused not in (BY_OWNER, AWAY):
            leave_book(state, order, AWAY)
            changed.append(order.id)
        elif not command.away and order.paused == AWAY:
            trades += entering.come_back(state, order)["trades"]
            changed.append(order.id)
    return {"owner": command.owner, "orders": changed, "trades": trades}


def cancel_all(state: ShardState, command: CancelAll) -> dict[str, Any]:
    """Close all of an owner's orders that are named; `kept` are too young for their owner."""
    reason = command.reason or (
        "Cancelled by staff." if command.actor is not None else "Cancelled by you."
    )
    cancelled, kept = [], []
    for order in state.open_orders.of(command.owner):
        if command.market not in (None, order.market_id) or command.side not in (None, order.side):
            continue
        if command.actor is None and _too_young(state, order):
            kept.append(order.id)
            continue
        close(state, order, CANCELLED, reason)
        cancelled.append(order.id)
    return {"owner": command.owner, "cancelled": cancelled, "kept": kept}


def mass_quote(state: ShardState, command: MassQuote) -> dict[str, Any]:
    """Replace the orders of a quote set; one answer a quote, a refused one changes nothing."""
    market = state.market(command.market)
    check_market(market.terms)
    old = [
        order
        for order in state.open_orders.of(command.owner)
        if order.quote_set == command.quote_set and order.market_id == command.market
    ]
    for order in old:
        orders.require_rest(state, order)
    for order in old:
        close(state, order, CANCELLED, "Replaced by new quotes.")
    shared = {
        name: getattr(command, name)
        for name in ("owner", "market", "facts", "via", "via_max_open", "quote_set")
    }
    answers: list[dict[str, Any]] = []
    for quote in command.quotes:
        try:
            wanted = PlaceOrder(**shared, **{n: getattr(quote, n) for n in quote.__struct_fields__})
            answers.append(orders.placed(*orders.place(state, wanted)))
        except PortalError as refusal:
            answers.append({"error": refusal.as_dict()})
    return {"cancelled": [order.id for order in old], "quotes": answers}


def _too_young(state: ShardState, order: OrderState) -> bool:
    try:
        orders.require_rest(state, order)
    except Conflict:
        return True
    return False


def _wanted(command: AmendOrder, order: OrderState) -> OrderState:
    """The order as it would be; what was traded of it stays traded."""
    wanted = order_from(order.as_dict())
    for given, name in _CHANGES.items():
        value = getattr(command, given)
        if value is not None:
            setattr(wanted, name, value)
    wanted.quantity += wanted.remaining - order.remaining
    if command.max_trade is None and order.max_trade == order.quantity:
        wanted.max_trade = wanted.quantity
    wanted.max_trade = min(wanted.max_trade, wanted.quantity)
    return wanted


def _check(
    state: ShardState, command: AmendOrder, wanted: OrderState, market: MarketInShard
) -> None:
    terms = market.terms
    _check_kind(command, wanted)
    if wanted.quantity > MAX_UNITS:
        raise InvalidInput(
            "remaining and what was traded are too much together.",
            field="remaining",
            value=wanted.remaining,
        )
    if wanted.remaining < wanted.min_trade:
        raise InvalidInput(
            "remaining is below min_trade.", field="remaining", value=wanted.remaining
        )
    largest = min(wanted.max_trade, terms.max_trade)
    wanted.max_trade = largest if command.max_trade is None else wanted.max_trade
    check_sizes(wanted.remaining, wanted.min_trade, wanted.max_trade, terms, "remaining")
    for name in ("price", "floor", "ceiling"):
        if getattr(command, name) is not None:
            check_cost(wanted.quantity, getattr(command, name), terms, input_field=name)
    for price in (wanted.price_ticks, wanted.floor_ticks, wanted.ceiling_ticks):
        if price is not None:
            check_cost(wanted.quantity, price, terms, input_field="remaining")
    if command.price is not None or command.margin_bps is not None:
        check_band(wanted.price_ticks, wanted.margin_bps, terms, market.index(state.at_ms))
    if instant(terms) and wanted.side == BUY and wanted.price_kind == "floating":
        check_cost(wanted.quantity, wanted.ceiling_ticks or 0, terms, input_field="ceiling")
    if command.expires_ms is not None and command.expires_ms <= state.at_ms:
        raise InvalidInput("expires_ms is over.", field="expires_ms", value=command.expires_ms)


def _check_kind(command: AmendOrder, wanted: OrderState) -> None:
    floating = wanted.price_kind == "floating"
    for name in ("margin_bps", "floor", "ceiling"):
        if getattr(command, name) is not None and not floating:
            raise InvalidInput(f"A fixed price has no {name}.", field=name)
    if command.price is not None and floating:
        raise InvalidInput("A floating price is set by margin_bps.", field="price")
    if command.margin_bps is not None and abs(command.margin_bps) > MAX_MARGIN_BPS:
        raise InvalidInput(
            f"margin_bps must be between -{MAX_MARGIN_BPS} and {MAX_MARGIN_BPS}.",
            field="margin_bps",
            value=command.margin_bps,
        )
    floor, ceiling = wanted.floor_ticks, wanted.ceiling_ticks
    if floor is not None and ceiling is not None and floor > ceiling:
        raise InvalidInput("floor is above ceiling.", field="floor", value=floor)
    if command.expires_ms is not None and wanted.tif != "GTD":
        raise InvalidInput("Only a GTD order has expires_ms.", field="expires_ms")
