"""Placing, matching and cancelling orders."""

from contextlib import closing
from typing import Any

from portal.core.errors import Conflict, Forbidden, InvalidInput
from portal.core.money import MAX_UNITS, bps_up, quote_units
from portal.engine.commands import CancelOrder, PlaceOrder
from portal.engine.state import MarketInShard, ShardState
from portal.ledger import rules as ledger
from portal.ledger.rules import AVAILABLE, AccountKey
from portal.orders.rules import (
    BUY,
    CANCELLED,
    FILLED,
    MAX_MARGIN_BPS,
    OPEN,
    MarketTerms,
    OrderState,
    crosses,
    effective_price,
    fill_size,
    floating_price,
    opposite,
    protected_limit,
    reserve,
)
from portal.trades.rules import State, TradeState


def place(state: ShardState, command: PlaceOrder) -> dict[str, Any]:
    """Check, hold, match, and rest or drop what is left."""
    market = state.market(command.market)
    _check_command(command, market.terms)
    target = _target(state, command, market) if command.take_order else None
    limit = _limit(command, market, target, market.index(state.at_ms))
    order = _new_order(state, command, market.terms)
    _check_holding(state, order, market.terms)
    order.id = state.new_id()
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
    trades = _match(state, market, order, limit, target)
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


def close(
    state: ShardState, order: OrderState, status: str, reason: str | None, *, actor: str = "system"
) -> None:
    """End an order; whatever it still holds becomes available."""
    if order.held:
        base = state.market(order.market_id).terms.base
        state.post("unhold", ledger.unhold(order.owner_id, base, order.held), order_id=order.id)
    order.held, order.status, order.reason = 0, status, reason
    state.touch_order(order)
    state.emit(actor, f"order.{status}", f"order:{order.id}", reason=reason)


def _check_command(command: PlaceOrder, terms: MarketTerms) -> None:
    if terms.status != "open":
        raise Conflict(f"The market {terms.id} is halted.", field="market", value=terms.id)
    if unknown := [method for method in command.methods if method not in terms.methods]:
        raise InvalidInput(
            f"{terms.id} does not take the payment method {unknown[0]}.",
            field="methods",
            value=unknown[0],
        )
    _check_price(command, terms)
    _check_sizes(command, terms)


def _check_price(command: PlaceOrder, terms: MarketTerms) -> None:
    if command.order_type == "market":
        if command.price is not None and command.take_order is None:
            raise InvalidInput("A market order has no price.", field="price", value=command.price)
        return
    if command.price_kind == "fixed":
        if command.price is None:
            raise InvalidInput("A fixed limit order needs a price.", field="price")
        _fiat(command.quantity, command.price, terms)
    elif command.margin_bps is None or abs(command.margin_bps) > MAX_MARGIN_BPS:
        raise InvalidInput(
            f"margin_bps must be between -{MAX_MARGIN_BPS} and {MAX_MARGIN_BPS}.",
            field="margin_bps",
            value=command.margin_bps,
        )


def _check_sizes(command: PlaceOrder, terms: MarketTerms) -> None:
    for name in ("quantity", "min_trade", "max_trade"):
        value = getattr(command, name)
        if value is not None and value % terms.lot:
            raise InvalidInput(f"{name} must be a multiple of the lot.", field=name, value=value)
    if command.quantity < terms.min_trade:
        raise InvalidInput(
            "quantity is below the market's smallest trade.",
            field="quantity",
            value=command.quantity,
        )
    smallest, largest = _trade_limits(command, terms)
    if smallest < terms.min_trade or smallest > command.quantity:
        raise InvalidInput(
            "min_trade must lie between the market's smallest trade and the quantity.",
            field="min_trade",
            value=smallest,
        )
    if largest < smallest or largest > terms.max_trade:
        raise InvalidInput(
            "max_trade must lie between min_trade and the market's largest trade.",
            field="max_trade",
            value=largest,
        )
    if command.quantity + bps_up(command.quantity, command.max_fee_bps) > MAX_UNITS:
        raise InvalidInput("quantity is too large.", field="quantity", value=command.quantity)


def _trade_limits(command: PlaceOrder, terms: MarketTerms) -> tuple[int, int]:
    smallest = command.min_trade or min(terms.min_trade, command.quantity)
    largest = command.max_trade or min(terms.max_trade, command.quantity)
    return smallest, largest


def _fiat(quantity: int, price: int, terms: MarketTerms) -> int:
    fiat = quote_units(
        quantity,
        price,
        base_places=terms.base_places,
        price_places=terms.price_places,
        quote_places=terms.quote_places,
    )
    if fiat > MAX_UNITS:
        raise InvalidInput("price times quantity is too large.", field="price", value=price)
    return fiat


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
    _fiat(command.quantity, limit, market.terms)
    return limit


def _floating_limit(command: PlaceOrder, index: int | None) -> int | None:
    if index is None or command.margin_bps is None:
        return None
    return floating_price(index, command.margin_bps)


def _new_order(state: ShardState, command: PlaceOrder, terms: MarketTerms) -> OrderState:
    smallest, largest = _trade_limits(command, terms)
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
        methods=list(dict.fromkeys(command.methods)),
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
    )


def _check_holding(state: ShardState, order: OrderState, terms: MarketTerms) -> None:
    if order.held:
        key = AccountKey(order.owner_id, terms.base, AVAILABLE)
        state.require(key, order.held, input_field="quantity")


def _hold(state: ShardState, order: OrderState, terms: MarketTerms) -> None:
    if order.held:
        lines = ledger.hold(order.owner_id, terms.base, order.held)
        state.post("hold", lines, order_id=order.id)


def _match(
    state: ShardState,
    market: MarketInShard,
    order: OrderState,
    limit: int | None,
    target: OrderState | None,
) -> list[int]:
    index = market.index(state.at_ms)
    if order.price_kind == "floating" and index is None:
        return []
    if target is not None:
        price = effective_price(target, index)
        size = fill_size(order, target, market.terms.lot)
        return [_fill(state, market, order, target, price or 0, size)]
    trades = []
    side = market.book.sides[opposite(order.side)]
    with closing(side.walk(order.methods, index)) as offers:
        for maker, price in offers:
            if not order.remaining or not crosses(order.side, limit, price):
                break
            if maker.owner_id == order.owner_id:
                continue
            if size := fill_size(order, maker, market.terms.lot):
                trades.append(_fill(state, market, order, maker, price, size))
    return trades


def _fill(
    state: ShardState,
    market: MarketInShard,
    taker: OrderState,
    maker: OrderState,
    price: int,
    size: int,
) -> int:
    """Make one trade of two orders; both shrink by its size."""
    buy, sell = (taker, maker) if taker.side == BUY else (maker, taker)
    reserved = _shrink(buy, size) + _shrink(sell, size)
    trade = _new_trade(state, market, taker, maker, price, size, reserved)
    state.touch_trade(trade)
    state.emit(
        "system",
        "trade.matched",
        f"trade:{trade.id}",
        market=trade.market_id,
        buyer=trade.buyer_id,
        seller=trade.seller_id,
        quantity=size,
        price=price,
        fiat=trade.fiat_units,
    )
    _after_fill(state, maker)
    return trade.id


def _shrink(order: OrderState, size: int) -> int:
    """Take `size` out of an order; returns what of its hold the trade now has."""
    order.remaining -= size
    still_held = reserve(order.side, order.remaining, order.max_fee_bps)
    reserved, order.held = order.held - still_held, still_held
    return reserved


def _after_fill(state: ShardState, order: OrderState) -> None:
    if order.remaining == 0:
        close(state, order, FILLED, None)
    elif order.remaining < order.min_trade:
        close(state, order, CANCELLED, "What was left is below the smallest trade.")
    else:
        state.touch_order(order)


def _new_trade(
    state: ShardState,
    market: MarketInShard,
    taker: OrderState,
    maker: OrderState,
    price: int,
    size: int,
    reserved: int,
) -> TradeState:
    terms = market.terms
    buy, sell = (taker, maker) if taker.side == BUY else (maker, taker)
    method = next(method for method in maker.methods if method in taker.methods)
    return TradeState(
        id=state.new_id(),
        market_id=terms.id,
        base=terms.base,
        quote=terms.quote,
        escrow=terms.escrow,
        maker_order_id=maker.id,
        taker_order_id=taker.id,
        maker_side=maker.side,
        buyer_id=buy.owner_id,
        seller_id=sell.owner_id,
        buyer_account_id=buy.accounts.get(method),
        seller_account_id=sell.accounts.get(method),
        method=method,
        authority=sell.authority,
        quantity=size,
        price_ticks=price,
        fiat_units=_fiat(size, price, terms),
        index_ticks=market.index(state.at_ms),
        quote_id=market.quote_id,
        reserved=reserved,
        max_buyer_fee=bps_up(size, buy.max_fee_bps),
        buyer_fee=0,
        seller_fee=0,
        fee_note=None,
        escrow_units=0,
        to_buyer=None,
        state=State.MATCHED,
        reason=None,
        timer=None,
        deadline_ms=None,
        payment_deadline_ms=None,
        locked=False,
        settled=False,
        lock_reference=None,
        settle_reference=None,
        payment_proof=None,
        created_ms=state.at_ms,
        updated_ms=state.at_ms,
    )


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
