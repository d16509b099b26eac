"""Reading a market's frame, and a person's own orders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portal.core.clock import iso, now_ms
from portal.core.errors import NotFound
from portal.engine.models import MarketState
from portal.markets.assets import asset
from portal.markets.models import Market
from portal.orders.condition_words import ConditionsView, view_of
from portal.orders.draft import Side
from portal.orders.frame import Frame
from portal.orders.hours import in_words
from portal.orders.models import Order
from portal.orders.rules import OPEN, live_index
from portal.trades.models import Trade

PAGE = 50
TimeInForce = Literal["GTC", "GTD", "IOC", "FOK"]
Stp = Literal["cancel_newest", "cancel_oldest", "cancel_both"]
# Why the engine keeps an open order out of the book, told to its owner.
_PAUSES = {
    "owner": "You paused it.",
    "away": "You are away.",
    "hours": "It is outside its working hours.",
    "balance": "Your balance does not cover its smallest trade.",
}


@dataclass(frozen=True)
class MarketFrame(Frame):
    """The frame of a market of the portal's table."""

    market: Market

    def pause(self, order: Order) -> str | None:
        """Why an open order does not trade just now."""
        if order.status != OPEN:
            return None
        if order.paused is not None:
            return _PAUSES.get(order.paused, "It is paused.")
        if self.market.status == "halted":
            return "The market is halted."
        if self.market.status == "auction":
            return "The market is in an auction: orders trade when it opens."
        if order.price_kind == "floating" and self.index_ticks is None:
            return self.index_reason or "There is no index price."
        return None


@dataclass(frozen=True)
class OrderView:
    """A person's own order. `held` is what of their balance backs it.

    `paused` says why it does not trade now, `paused_by` what took it out of the book: its owner,
    their holiday, its working hours or a balance that is too small. `hours` are UTC, told in
    words. `link` is the secret of a private order.
    """

    id: int
    market: str
    side: Side
    order_type: Literal["limit", "market"]
    price_kind: Literal["fixed", "floating"]
    price: str | None
    effective_price: str | None
    margin_bps: int | None
    floor: str | None
    ceiling: str | None
    quantity: str
    remaining: str
    min_trade: str
    max_trade: str
    methods: list[str]
    tif: TimeInForce
    expires_at: str | None
    post_only: bool
    shared: bool
    stp: Stp
    hours: list[str]
    conditions: ConditionsView | None
    link: str | None
    quote_set: str | None
    via: str | None
    status: Literal["open", "filled", "cancelled"]
    paused: str | None
    paused_by: Literal["owner", "away", "hours", "balance"] | None
    reason: str | None
    held: str
    created_at: str
    trades: list[int]


@dataclass(frozen=True)
class OrderPage:
    """Orders, newest first; `next` goes into `before` for the page after."""

    orders: list[OrderView]
    next: int | None


def load_frame(session: Session, market_id: str) -> MarketFrame:
    """The frame of a market. Raises NotFound."""
    market = session.get(Market, market_id)
    if market is None:
        raise NotFound("There is no such market.", field="market", value=market_id)
    state = session.get(MarketState, market_id)
    index_ticks, reason = _index(state)
    return MarketFrame(
        market=market,
        base=asset(session, market.base),
        quote=asset(session, market.quote),
        index_ticks=index_ticks,
        index_at_ms=state.index_at_ms if state else None,
        index_reason=reason,
    )


def _index(state: MarketState | None) -> tuple[int | None, str | None]:
    """The index price that counts now, or None with the reason."""
    if state is None:
        return None, "The market has not been opened yet."
    ticks = live_index(state.index_ticks, state.index_until_ms, now_ms())
    if ticks is None and state.index_ticks is not None:
        return None, "The price feed has stopped; its last price is too old."
    if ticks is None:
        return None, state.index_reason or "The first price is still being fetched."
    return ticks, None


def find_own(session: Session, owner_id: int, order_id: int) -> Order:
    """The row of a person's order. Raises NotFound for others' as for none."""
    order = session.get(Order, order_id)
    if order is None or order.owner_id != owner_id:
        raise NotFound("You have no such order.", field="order_id", value=order_id)
    return order


def own_order(session: Session, owner_id: int, order_id: int) -> OrderView:
    """One order of a person. Raises NotFound for others' as for none."""
    return _views(session, [find_own(session, owner_id, order_id)])[0]


def own_orders(
    session: Session, owner_id: int, *, only_open: bool, before: int | None = None
) -> OrderPage:
    """A page of a person's orders, newest first."""
    query = select(Order).where(Order.owner_id == owner_id).order_by(Order.id.desc())
    if only_open:
        query = query.where(Order.status == OPEN)
    if before is not None:
        query = query.where(Order.id < before)
    rows = session.scalars(query.limit(PAGE + 1)).all()
    shown = rows[:PAGE]
    return OrderPage(_views(session, shown), shown[-1].id if len(rows) > PAGE else None)


def own_orders_by_id(session: Session, owner_id: int, ids: Iterable[int]) -> dict[int, OrderView]:
    """Several orders of a person at once, by id; others' are left out."""
    query = select(Order).where(Order.id.in_(list(ids)), Order.owner_id == owner_id)
    return {view.id: view for view in _views(session, session.scalars(query).all())}


def _views(session: Session, orders: Sequence[Order]) -> list[OrderView]:
    frames = {name: load_frame(session, name) for name in {order.market_id for order in orders}}
    trades = _trades_of(session, [order.id for order in orders])
    return [_view(frames[order.market_id], order, trades.get(order.id, [])) for order in orders]


def _trades_of(session: Session, order_ids: Iterable[int]) -> dict[int, list[int]]:
    wanted = list(order_ids)
    rows = session.execute(
        select(Trade.id, Trade.maker_order_id, Trade.taker_order_id)
        .where(or_(Trade.maker_order_id.in_(wanted), Trade.taker_order_id.in_(wanted)))
        .order_by(Trade.id)
    )
    found: dict[int, list[int]] = {}
    for trade_id, maker, taker in rows:
        for order_id in (maker, taker):
            found.setdefault(order_id, []).append(trade_id)
    return found


def _view(frame: MarketFrame, order: Order, trades: list[int]) -> OrderView:
    return OrderView(
        id=order.id,
        market=order.market_id,
        side=cast(Side, order.side),
        order_type=cast(Literal["limit", "market"], order.order_type),
        price_kind=cast(Literal["fixed", "floating"], order.price_kind),
        price=frame.price(order.price_ticks),
        effective_price=frame.price(frame.effective(order)),
        margin_bps=order.margin_bps,
        floor=frame.price(order.floor_ticks),
        ceiling=frame.price(order.ceiling_ticks),
        quantity=frame.amount(order.quantity),
        remaining=frame.amount(order.remaining),
        min_trade=frame.amount(order.min_trade),
        max_trade=frame.amount(order.max_trade),
        methods=order.methods,
        tif=cast(TimeInForce, order.tif),
        expires_at=iso(order.expires_ms),
        post_only=order.post_only,
        shared=order.shared,
        stp=cast(Stp, order.stp),
        hours=in_words(order.hours or ()),
        conditions=view_of(order.conditions, frame.amount, frame.base.code),
        link=order.link,
        quote_set=order.quote_set,
        via=order.via,
        status=cast(Literal["open", "filled", "cancelled"], order.status),
        paused=frame.pause(order),
        paused_by=_paused_by(order),
        reason=order.reason,
        held=frame.amount(order.held),
        created_at=cast(str, iso(order.created_ms)),
        trades=trades,
    )


def _paused_by(order: Order) -> Literal["owner", "away", "hours", "balance"] | None:
    paused = order.paused if order.status == OPEN else None
    return cast(Literal["owner", "away", "hours", "balance"] | None, paused)
