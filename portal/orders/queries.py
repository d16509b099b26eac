"""Reading orders: the book, offers to choose from, and a person's own orders."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portal.core.clock import iso, now_ms
from portal.core.errors import NotFound
from portal.core.money import Asset, units_text
from portal.engine.models import MarketState, Shard
from portal.markets.assets import asset
from portal.markets.models import Market
from portal.orders.models import Order
from portal.orders.rules import OPEN, OrderState, effective_price, live_index
from portal.trades.models import Trade
from portal.users.queries import Reputation, reputations

Side = Literal["buy", "sell"]
PAGE = 50


@dataclass(frozen=True)
class Frame:
    """A market with what is needed to show its numbers: assets and the engine's index price."""

    market: Market
    base: Asset
    quote: Asset
    index_ticks: int | None
    index_at_ms: int | None
    index_reason: str | None

    def amount(self, units: int) -> str:
        """Base units as decimal text."""
        return units_text(units, self.base.places)

    def price(self, ticks: int | None) -> str | None:
        """Ticks as decimal text."""
        return None if ticks is None else units_text(ticks, self.market.price_places)

    def effective(self, order: Order) -> int | None:
        """What an order asks or bids now, in ticks; None while it is paused for a price."""
        return effective_price(cast(OrderState, order), self.index_ticks)

    def pause(self, order: Order) -> str | None:
        """Why an open order does not trade just now."""
        if order.status != OPEN:
            return None
        if self.market.status != "open":
            return "The market is halted."
        if order.price_kind == "floating" and self.index_ticks is None:
            return self.index_reason or "There is no index price."
        return None


@dataclass(frozen=True)
class IndexView:
    """The index price that floating orders follow now; `reason` says why there is none."""

    price: str | None
    reason: str | None


@dataclass(frozen=True)
class IndexAt:
    """The index price with the time it was taken at."""

    price: str | None
    at: str | None
    reason: str | None


@dataclass(frozen=True)
class SourceView:
    """One price source of a quote; `reason` says why it was left out."""

    name: str
    price: str | None
    used: bool
    reason: str | None


@dataclass(frozen=True)
class BookLevel:
    """All orders at one price."""

    price: str
    quantity: str
    orders: int


@dataclass(frozen=True)
class BookView:
    """A market's book, aggregated by price, best first. `seq` grows with every change."""

    market: str
    seq: int
    at: str
    index: IndexView
    bids: list[BookLevel]
    asks: list[BookLevel]


@dataclass(frozen=True)
class OfferView:
    """An order of somebody as a choice for others. `paused` says why it can't be taken now."""

    order_id: int
    side: Side
    price: str | None
    price_kind: Literal["fixed", "floating"]
    margin_bps: int | None
    available: str
    min_trade: str
    max_trade: str
    methods: list[str]
    paused: str | None
    own: bool
    maker: Reputation


@dataclass(frozen=True)
class OrderView:
    """A person's own order. `held` is what of their balance backs it."""

    id: int
    market: str
    side: Side
    order_type: Literal["limit", "market"]
    price_kind: Literal["fixed", "floating"]
    price: str | None
    effective_price: str | None
    margin_bps: int | None
    quantity: str
    remaining: str
    min_trade: str
    max_trade: str
    methods: list[str]
    tif: Literal["GTC", "IOC"]
    status: Literal["open", "filled", "cancelled"]
    paused: str | None
    reason: str | None
    held: str
    created_at: str
    trades: list[int]


@dataclass(frozen=True)
class OrderPage:
    """Orders, newest first; `next` goes into `before` for the page after."""

    orders: list[OrderView]
    next: int | None


def source_views(rows: Iterable[Mapping[str, Any]]) -> list[SourceView]:
    """The sources of a stored quote as people see them."""
    return [
        SourceView(
            name=str(row["name"]),
            price=row["price"],
            used=bool(row["used"]),
            reason=None if row["used"] else row["reason"],
        )
        for row in rows
    ]


def load_frame(session: Session, market_id: str) -> Frame:
    """The frame of a market. Raises NotFound."""
    market = session.get(Market, market_id)
    if market is None:
        raise NotFound("There is no such market.", field="market", value=market_id)
    state = session.get(MarketState, market_id)
    index_ticks, reason = _index(state)
    return Frame(
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


def book(session: Session, market_id: str, depth: int = 20) -> BookView:
    """The open orders of a market that can trade now. Raises NotFound."""
    frame = load_frame(session, market_id)
    shard = session.get(Shard, frame.market.shard)
    orders = open_orders(session, market_id)
    return BookView(
        market=market_id,
        seq=shard.seq if shard else 0,
        at=cast(str, iso(now_ms())),
        index=IndexView(frame.price(frame.index_ticks), frame.index_reason),
        bids=_levels(frame, orders, "buy", depth),
        asks=_levels(frame, orders, "sell", depth),
    )


def best_prices(session: Session, frame: Frame) -> tuple[str | None, str | None]:
    """The highest bid and the lowest ask of a market, as text."""
    orders = open_orders(session, frame.market.id)
    bids, asks = (_levels(frame, orders, side, 1) for side in ("buy", "sell"))
    return (bids[0].price if bids else None, asks[0].price if asks else None)


def offers(
    session: Session,
    market_id: str,
    side: Side,
    *,
    method: str | None = None,
    quantity: int | None = None,
    viewer: int | None = None,
) -> list[OfferView]:
    """What people offer on `side`, best price first, paused ones last. Raises NotFound.

    `quantity` in base units keeps the offers that take exactly that in one trade.
    """
    frame = load_frame(session, market_id)
    found = [
        order
        for order in open_orders(session, market_id)
        if order.side == side
        and (method is None or method in order.methods)
        and (quantity is None or order.min_trade <= quantity <= _largest(order))
    ]
    people = reputations(session, {order.owner_id for order in found})
    found.sort(key=lambda order: _rank(frame, order))
    return [_offer(frame, order, people[order.owner_id], viewer) for order in found]


def open_orders(session: Session, market_id: str) -> Sequence[Order]:
    """All open orders of a market, oldest first."""
    return session.scalars(
        select(Order).where(Order.market_id == market_id, Order.status == OPEN).order_by(Order.id)
    ).all()


def own_order(session: Session, owner_id: int, order_id: int) -> OrderView:
    """One order of a person. Raises NotFound for others' as for none."""
    order = session.get(Order, order_id)
    if order is None or order.owner_id != owner_id:
        raise NotFound("You have no such order.", field="order_id", value=order_id)
    return _views(session, [order])[0]


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


def _view(frame: Frame, order: Order, trades: list[int]) -> OrderView:
    return OrderView(
        id=order.id,
        market=order.market_id,
        side=cast(Side, order.side),
        order_type=cast(Literal["limit", "market"], order.order_type),
        price_kind=cast(Literal["fixed", "floating"], order.price_kind),
        price=frame.price(order.price_ticks),
        effective_price=frame.price(frame.effective(order)),
        margin_bps=order.margin_bps,
        quantity=frame.amount(order.quantity),
        remaining=frame.amount(order.remaining),
        min_trade=frame.amount(order.min_trade),
        max_trade=frame.amount(order.max_trade),
        methods=order.methods,
        tif=cast(Literal["GTC", "IOC"], order.tif),
        status=cast(Literal["open", "filled", "cancelled"], order.status),
        paused=frame.pause(order),
        reason=order.reason,
        held=frame.amount(order.held),
        created_at=cast(str, iso(order.created_ms)),
        trades=trades,
    )


def _offer(frame: Frame, order: Order, maker: Reputation, viewer: int | None) -> OfferView:
    return OfferView(
        order_id=order.id,
        side=cast(Side, order.side),
        price=frame.price(frame.effective(order)),
        price_kind=cast(Literal["fixed", "floating"], order.price_kind),
        margin_bps=order.margin_bps,
        available=frame.amount(order.remaining),
        min_trade=frame.amount(order.min_trade),
        max_trade=frame.amount(_largest(order)),
        methods=order.methods,
        paused=frame.pause(order),
        own=order.owner_id == viewer,
        maker=maker,
    )


def _largest(order: Order) -> int:
    return min(order.max_trade, order.remaining)


def _rank(frame: Frame, order: Order) -> tuple[bool, int, int]:
    price = frame.effective(order) or 0
    return (frame.pause(order) is not None, price if order.side == "sell" else -price, order.id)


def _levels(frame: Frame, orders: Sequence[Order], side: str, depth: int) -> list[BookLevel]:
    totals: dict[int, tuple[int, int]] = {}
    for order in orders:
        price = frame.effective(order)
        if order.side == side and price is not None:
            quantity, count = totals.get(price, (0, 0))
            totals[price] = (quantity + order.remaining, count + 1)
    best_first = sorted(totals, reverse=side == "buy")[:depth]
    return [
        BookLevel(cast(str, frame.price(price)), frame.amount(totals[price][0]), totals[price][1])
        for price in best_first
    ]
