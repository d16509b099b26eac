"""Placing, taking and cancelling orders."""

from typing import Any

from portal.core.errors import Conflict, Forbidden, InvalidInput
from portal.engine.apply import entering
from portal.engine.apply.holds import instant, walker
from portal.engine.apply.matching import close
from portal.engine.apply.new_orders import new_order
from portal.engine.apply.order_checks import (
    check_cost,
    check_counts,
    check_market,
    check_order,
)
from portal.engine.commands import CancelOrder, PlaceOrder
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import (
    BUY,
    CANCELLED,
    OrderState,
    crosses,
    effective_price,
    opposite,
    protected_limit,
)
from portal.orders.walk import Plan


def place(state: ShardState, command: PlaceOrder) -> tuple[OrderState, list[int]]:
    """Check, hold, match, and rest or drop what is left; the order, and ids of its trades."""
    market = state.market(command.market)
    terms = market.terms
    check_market(terms)
    order = new_order(command, terms, state.at_ms)
    check_order(order, command, market, state.at_ms)
    check_counts(state, order, command, terms)
    if order.take_order is not None:
        return order, _take(state, command, market, order)
    limit = _limit(state, market, order)
    due = entering.check(state, market, order)
    plan = entering.plan(state, market, order, limit)
    if plan is not None and order.post_only:
        raise Conflict(
            "This order would trade at once.",
            field="post_only",
            hint="Choose a price that no offer meets.",
        )
    order.id = order.priority = state.new_id()
    return order, entering.enter(state, market, order, due, plan)


def placed(order: OrderState, trades: list[int]) -> dict[str, Any]:
    """What the owner of a new order is told."""
    return {"order_id": order.id, "status": order.status, "trades": trades}


def cancel(state: ShardState, command: CancelOrder) -> dict[str, Any]:
    """Close an order and give back what it held. Without an owner, staff asked for it."""
    order = state.order(command.order_id)
    owner = command.owner
    if owner is not None:
        require_owner(order, owner)
        require_rest(state, order)
    reason = command.reason or ("Cancelled by you." if owner else "Cancelled by staff.")
    close(state, order, CANCELLED, reason)
    return {"order_id": order.id, "status": order.status}


def require_owner(order: OrderState, owner: int) -> None:
    """Raises Forbidden when the order is another person's."""
    if owner != order.owner_id:
        raise Forbidden("This order is another person's.", field="order_id", value=order.id)


def require_rest(state: ShardState, order: OrderState) -> None:
    """Raises Conflict when an order is too young for its owner to take it back."""
    left = order.created_ms + state.market(order.market_id).terms.min_rest_ms - state.at_ms
    if left > 0 and order.paused is None:
        raise Conflict(
            f"An order here rests for a while before it can be changed: {left} ms are left.",
            field="order_id",
            value=order.id,
            hint="Try again then.",
        )


def _take(
    state: ShardState, command: PlaceOrder, market: MarketInShard, order: OrderState
) -> list[int]:
    """Trade with the offer that is named, or refuse."""
    offer = _offer(state, command, market)
    price = effective_price(offer, market.index(state.at_ms))
    if price is None:
        raise Conflict(
            f"This offer is paused: {market.index_reason or 'its price is too old.'}",
            field="take_order",
        )
    if not crosses(command.side, command.price, price):
        raise Conflict("The price of this offer has moved.", field="price", value=command.price)
    _check_fit(state, command, market, order, offer)
    check_cost(order.quantity, price, market.terms)
    if instant(market.terms):
        order.price_ticks = price  # What it holds is counted at the price it gets.
    due = entering.check(state, market, order)
    fill = walker(state, market).single(order, offer, market.index(state.at_ms), state.at_ms)
    if fill is None:
        raise Conflict("The owner of this offer can't back it now.", field="take_order")
    plan = Plan(order.remaining - fill[2])
    plan.fills.append(fill)
    order.id = order.priority = state.new_id()
    return entering.enter(state, market, order, due, plan)


def _offer(state: ShardState, command: PlaceOrder, market: MarketInShard) -> OrderState:
    offer = state.orders.get(command.take_order or 0)
    gone = offer is None or offer.market_id != command.market
    if offer is None or gone or offer.link not in (None, command.link):
        raise Conflict("This offer is gone.", field="take_order", hint="Choose another one.")
    if offer.side == command.side:
        raise InvalidInput(f"This offer is a {offer.side} offer too.", field="side")
    if offer.owner_id == command.owner:
        raise InvalidInput("This offer is your own.", field="take_order", value=offer.id)
    if not set(offer.methods) & set(command.methods):
        raise InvalidInput("This offer takes other payment methods.", field="methods")
    if offer.paused is not None:
        raise Conflict("This offer is paused.", field="take_order", hint="Choose another one.")
    return offer


def _check_fit(
    state: ShardState,
    command: PlaceOrder,
    market: MarketInShard,
    order: OrderState,
    offer: OrderState,
) -> None:
    for mine, theirs in ((offer, order), (order, offer)):
        wanted = mine.conditions
        if wanted is not None and not wanted.admit(theirs.facts, state.at_ms):
            raise Conflict("This offer's conditions don't fit.", field="take_order")
    smallest = max(offer.min_trade, market.terms.min_trade)
    largest = min(offer.remaining, offer.max_trade)
    for mine, theirs in ((offer, order), (order, offer)):
        most = mine.conditions.largest(theirs.facts) if mine.conditions else None
        largest = largest if most is None else min(largest, most)
    if not smallest <= command.quantity <= largest:
        raise InvalidInput(
            "quantity is outside the limits of this offer.",
            field="quantity",
            value=command.quantity,
            hint="See the offer's smallest and largest amount.",
        )


def _limit(state: ShardState, market: MarketInShard, order: OrderState) -> int | None:
    """The worst price the new order accepts, in ticks; None: none can be told."""
    index = market.index(state.at_ms)
    if order.order_type == "limit":
        return effective_price(order, index)
    reference = index
    if reference is None:
        reference = market.book.best_price(opposite(order.side), order.methods, index)
    if reference is None:
        raise Conflict(
            "There is no price to protect a market order with.",
            field="order_type",
            hint="Use a limit order, or wait for the price feed.",
        )
    limit = protected_limit(order.side, reference, market.terms.protection_bps)
    check_cost(order.quantity, limit, market.terms)
    if instant(market.terms) and order.side == BUY:
        order.price_ticks = limit  # What it holds is counted at its worst price.
    return limit
