"""Carrying out what matching found: trades, what orders hold, and how orders end."""

from typing import Final

from portal.core.units import bps_up
from portal.engine.apply.holds import backing, due_hold, instant, set_hold
from portal.engine.apply.instant import settle
from portal.engine.apply.order_checks import cost
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import BUY, CANCELLED, FILLED, NO_BALANCE, OrderState
from portal.orders.walk import Plan
from portal.trades.rules import State, TradeState

MET_OWN: Final = "It met an order of the same owner."
TOO_SMALL: Final = "What was left is below the smallest trade."
_MATCHED: Final = State.MATCHED


def close(state: ShardState, order: OrderState, status: str, reason: str | None) -> None:
    """End an order; whatever it still holds becomes available."""
    set_hold(state, order, 0)
    order.status, order.reason = status, reason
    order.paused = None
    state.touch_order(order)


def leave_book(state: ShardState, order: OrderState, why: str) -> None:
    """Take an open order out of the book for a while."""
    state.market(order.market_id).book.remove(order)
    order.paused = why
    state.touch_order(order)


def execute(
    state: ShardState,
    market: MarketInShard,
    order: OrderState,
    plan: Plan,
    *,
    price: int | None = None,
) -> list[int]:
    """Make the trades of a plan; ids of them. `price` is that of an auction, for all of them."""
    for maker in plan.own:
        close(state, maker, CANCELLED, MET_OWN)
    for maker in plan.unbacked:
        leave_book(state, maker, NO_BALANCE)
    trades = [
        _fill(state, market, order, maker, at if price is None else price, size)
        for maker, at, size in plan.fills
    ]
    if plan.stopped:
        close(state, order, CANCELLED, MET_OWN)
    return trades


def end_if_spent(state: ShardState, order: OrderState) -> bool:
    """Close an order with nothing left, or less than its smallest trade."""
    if order.remaining == 0:
        close(state, order, FILLED, None)
    elif order.remaining < order.min_trade:
        close(state, order, CANCELLED, TOO_SMALL)
    else:
        return False
    return True


def _fill(
    state: ShardState,
    market: MarketInShard,
    taker: OrderState,
    maker: OrderState,
    price: int,
    size: int,
) -> int:
    """Make one trade of two orders; both shrink by its size."""
    of_maker = _shrink(state, market, maker, price, size)
    of_taker = _shrink(state, market, taker, price, size)
    if taker.side == BUY:
        trade = _new_trade(state, market, taker, maker, price, size, of_maker)
        paid_from = of_taker
    else:
        trade = _new_trade(state, market, taker, maker, price, size, of_taker)
        paid_from = of_maker
    if instant(market.terms):
        settle(state, trade, paid_from, maker.maker_fee_bps, taker.taker_fee_bps)
    state.touch_trade(trade)
    state.emit(
        "system",
        "trade.matched",
        f"trade:{trade.id}",
        {
            "market": trade.market_id,
            "buyer": trade.buyer_id,
            "seller": trade.seller_id,
            "quantity": size,
            "price": price,
            "fiat": trade.fiat_units,
        },
    )
    if not end_if_spent(state, maker):
        state.touch_order(maker)
    return trade.id


def _shrink(
    state: ShardState, market: MarketInShard, order: OrderState, price: int, size: int
) -> int:
    """Take `size` out of an order; returns what of its hold the trade now has."""
    if order.shared:
        set_hold(state, order, backing(order, size, price, market.terms))
    order.remaining -= size
    still_held = due_hold(order, market.terms)
    reserved, order.held = order.held - still_held, still_held
    return reserved


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
    method = _common_method(maker, taker)
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
        fiat_units=cost(size, price, terms),
        index_ticks=market.index(state.at_ms),
        quote_id=market.quote_id,
        reserved=reserved,
        max_buyer_fee=bps_up(size, buy.max_fee_bps),
        buyer_fee=0,
        seller_fee=0,
        fee_note=None,
        escrow_units=0,
        to_buyer=None,
        state=_MATCHED,
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


def _common_method(maker: OrderState, taker: OrderState) -> str:
    """The first of the maker's payment methods that the taker has too."""
    for method in maker.methods:
        if method in taker.methods:
            return method
    raise ValueError(f"orders {maker.id} and {taker.id} have no payment method in common")
