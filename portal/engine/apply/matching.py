"""Matching an order against the book, and ending orders."""

from contextlib import closing

from portal.core.money import bps_up
from portal.engine.apply.order_checks import fiat_due
from portal.engine.state import MarketInShard, ShardState
from portal.ledger import rules as ledger
from portal.orders.rules import (
    BUY,
    CANCELLED,
    FILLED,
    OrderState,
    crosses,
    effective_price,
    fill_size,
    opposite,
    reserve,
)
from portal.trades.rules import State, TradeState


def close(
    state: ShardState, order: OrderState, status: str, reason: str | None, *, actor: str = "system"
) -> None:
    """End an order; whatever it still holds becomes available."""
    if order.held:
        base = state.market(order.market_id).terms.base
        move = ledger.unhold(order.owner_id, base, order.held)
        state.move("unhold", *move, order_id=order.id)
    order.held, order.status, order.reason = 0, status, reason
    state.touch_order(order)
    state.emit(actor, f"order.{status}", f"order:{order.id}", reason=reason)


def match(
    state: ShardState,
    market: MarketInShard,
    order: OrderState,
    limit: int | None,
    target: OrderState | None,
) -> list[int]:
    """Trade an order with the one it names, or with the best of the book; ids of the trades."""
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
        fiat_units=fiat_due(size, price, terms),
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
