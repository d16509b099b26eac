"""Placing and cancelling orders."""

from typing import Any

from portal.core.errors import Conflict, Forbidden, InvalidInput
from portal.engine.apply.matching import close, match
from portal.engine.apply.order_checks import check_command, fiat_due, trade_limits
from portal.engine.commands import CancelOrder, PlaceOrder
from portal.engine.state import MarketInShard, ShardState
from portal.ledger import rules as ledger
from portal.ledger.rules import AVAILABLE, AccountKey
from portal.orders.rules import (
    CANCELLED,
    FILLED,
    OPEN,
    MarketTerms,
    OrderState,
    crosses,
    effective_price,
    floating_price,
    opposite,
    protected_limit,
    reserve,
)


def place(state: ShardState, command: PlaceOrder) -> dict[str, Any]:
    """Check, hold, match, and rest or drop what is left."""
    market = state.market(command.market)
    check_command(command, market.terms)
    target = _target(state, command, market) if command.take_order else None
    limit = _limit(command, market, target, market.index(state.at_ms))
    order = _new_order(state, command, market.terms)
    _check_holding(state, order, market.terms)
    order.id = order.priority = state.new_id()
    _hold(state, order, market.terms)
    state.emit(
        f"user:{order.owner_id}",
        "order.placed",
        f"order:{order.id}",
        market=order.market_id,
        side=order.side,
        quantity=order.quantity,
        price=order.price_ticks,
        margin_bps=order.margin_bps,
    )
    trades = match(state, market, order, limit, target)
    _rest_or_drop(state, market, order)
    return {"order_id": order.id, "status": order.status, "trades": trades}


def cancel(state: ShardState, command: CancelOrder) -> dict[str, Any]:
    """Close an order and give back what it held. Without an owner, staff asked for it."""
    order = state.order(command.order_id)
    if command.owner is not None and command.owner != order.owner_id:
        raise Forbidden("This order is another person's.", field="order_id")
    reason = command.reason or ("Cancelled by you." if command.owner else "Cancelled by staff.")
    user = command.owner or command.actor
    actor = f"user:{user}" if user else "system"
    close(state, order, CANCELLED, reason, actor=actor)
    return {"order_id": order.id, "status": order.status}


def _target(state: ShardState, command: PlaceOrder, market: MarketInShard) -> OrderState:
    offer = state.orders.get(command.take_order or 0)
    if offer is None or offer.market_id != command.market:
        raise Conflict("This offer is gone.", field="take_order", hint="Choose another one.")
    if offer.side == command.side:
        raise InvalidInput(f"This offer is a {offer.side} offer too.", field="side")
    if offer.owner_id == command.owner:
        raise InvalidInput("This offer is your own.", field="take_order", value=offer.id)
    if not set(offer.methods) & set(command.methods):
        raise InvalidInput("This offer takes other payment methods.", field="methods")
    price = effective_price(offer, market.index(state.at_ms))
    if price is None:
        raise Conflict(
            f"This offer is paused: {market.index_reason or 'its price is too old.'}",
            field="take_order",
        )
    if not crosses(command.side, command.price, price):
        raise Conflict("The price of this offer has moved.", field="price", value=command.price)
    smallest, largest = (
        max(offer.min_trade, market.terms.min_trade),
        min(offer.remaining, offer.max_trade),
    )
    if not smallest <= command.quantity <= largest:
        raise InvalidInput(
            "quantity is outside the limits of this offer.",
            field="quantity",
            value=command.quantity,
            hint="See the offer's smallest and largest amount.",
        )
    return offer


def _limit(
    command: PlaceOrder, market: MarketInShard, target: OrderState | None, index: int | None
) -> int | None:
    """The worst price the new order accepts, in ticks."""
    if target is not None:
        return command.price
    if command.order_type == "limit":
        if command.price_kind == "fixed":
            return command.price
        return _floating_limit(command, index)
    reference = index or market.book.best_price(opposite(command.side), command.methods, index)
    if reference is None:
        raise Conflict(
            "There is no price to protect a market order with.",
            field="order_type",
            hint="Use a limit order, or wait for the price feed.",
        )
    limit = protected_limit(command.side, reference, market.terms.protection_bps)
    fiat_due(command.quantity, limit, market.terms)
    return limit


def _floating_limit(command: PlaceOrder, index: int | None) -> int | None:
    if index is None or command.margin_bps is None:
        return None
    return floating_price(index, command.margin_bps)


def _new_order(state: ShardState, command: PlaceOrder, terms: MarketTerms) -> OrderState:
    smallest, largest = trade_limits(command, terms)
    is_market = command.order_type == "market" or command.take_order is not None
    return OrderState(
        id=0,
        owner_id=command.owner,
        market_id=command.market,
        side=command.side,
        order_type=command.order_type,
        price_kind=command.price_kind,
        price_ticks=command.price if command.price_kind == "fixed" else None,
        margin_bps=command.margin_bps if command.price_kind == "floating" else None,
        quantity=command.quantity,
        remaining=command.quantity,
        min_trade=smallest,
        max_trade=largest,
        methods=tuple(dict.fromkeys(command.methods)),
        accounts=dict(sorted(command.accounts.items())),
        tif="IOC" if is_market else command.tif,
        max_fee_bps=command.max_fee_bps,
        held=reserve(command.side, command.quantity, command.max_fee_bps),
        status=OPEN,
        reason=None,
        authority=command.authority,
        take_order=command.take_order,
        created_ms=state.at_ms,
        updated_ms=state.at_ms,
        priority=0,
    )


def _check_holding(state: ShardState, order: OrderState, terms: MarketTerms) -> None:
    if order.held:
        key = AccountKey(order.owner_id, terms.base, AVAILABLE)
        state.require(key, order.held, input_field="quantity")


def _hold(state: ShardState, order: OrderState, terms: MarketTerms) -> None:
    if order.held:
        move = ledger.hold(order.owner_id, terms.base, order.held)
        state.move("hold", *move, order_id=order.id)


def _rest_or_drop(state: ShardState, market: MarketInShard, order: OrderState) -> None:
    if order.remaining == 0:
        close(state, order, FILLED, None)
    elif order.tif == "IOC":
        close(state, order, CANCELLED, "Nothing more could be matched at once.")
    elif order.remaining < order.min_trade:
        close(state, order, CANCELLED, "What was left is below the smallest trade.")
    else:
        state.touch_order(order)
        market.book.add(order)
