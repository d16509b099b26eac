"""What people offer: the book by price, and single offers to choose from.

Only what can be traded is shown to others: nothing that its owner, their holiday, its hours or
their balance keeps out of the book, and no private offer but to those who have its link.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Numeric, case, func, null, or_, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from portal.core.clock import iso, now_ms
from portal.core.errors import NotFound
from portal.engine.models import Shard
from portal.orders.condition_words import ConditionsView, largest_for, unmet, view_of
from portal.orders.draft import Side
from portal.orders.models import Order
from portal.orders.queries import MarketFrame, load_frame
from portal.orders.rules import OPEN
from portal.users.facts import facts_of
from portal.users.queries import Reputation, reputations

MOST_OFFERS = 200


@dataclass(frozen=True)
class IndexView:
    """The index price that floating orders follow now; `reason` says why there is none."""

    price: str | None
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
    """An order of somebody as a choice for others. `paused` says why it can't be taken now.

    `unmet` is the condition that the caller does not satisfy, in a sentence; None when they
    satisfy all, or nobody is logged in. `max_trade` is the most that the caller may take.
    """

    order_id: int
    market: str
    side: Side
    price: str | None
    price_kind: Literal["fixed", "floating"]
    margin_bps: int | None
    floor: str | None
    ceiling: str | None
    available: str
    min_trade: str
    max_trade: str
    methods: list[str]
    expires_at: str | None
    conditions: ConditionsView | None
    unmet: str | None
    private: bool
    paused: str | None
    own: bool
    maker: Reputation


@dataclass(frozen=True)
class _Viewer:
    """Who looks: their id and what the engine would be told of them."""

    id: int
    facts: Mapping[str, Any]


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


def book(session: Session, market_id: str, depth: int = 20) -> BookView:
    """What a market's open orders bid and ask now, by price. Raises NotFound."""
    frame = load_frame(session, market_id)
    shard = session.get(Shard, frame.market.shard)
    return BookView(
        market=market_id,
        seq=shard.seq if shard else 0,
        at=cast(str, iso(now_ms())),
        index=IndexView(frame.price(frame.index_ticks), frame.index_reason),
        bids=_levels(session, frame, "buy", depth),
        asks=_levels(session, frame, "sell", depth),
    )


def best_prices(session: Session, frame: MarketFrame) -> tuple[str | None, str | None]:
    """The highest bid and the lowest ask of a market, as text."""
    bids, asks = (_levels(session, frame, side, 1) for side in ("buy", "sell"))
    return (bids[0].price if bids else None, asks[0].price if asks else None)


def best_for(
    session: Session, frame: MarketFrame, side: str, methods: Iterable[str], but_of: int
) -> int | None:
    """The best price in ticks that somebody on `side` offers for any of `methods`."""
    price = _price_now(frame)
    best = func.min(price) if side == "sell" else func.max(price)
    query = select(best).where(
        *_in_book(frame.market.id, side),
        Order.owner_id != but_of,
        Order.methods.has_any(array(list(methods))),
    )
    found = session.scalar(query)
    return None if found is None else int(found)


def offers(
    session: Session,
    market_id: str,
    side: Side,
    *,
    method: str | None = None,
    quantity: int | None = None,
    viewer: int | None = None,
) -> list[OfferView]:
    """The best MOST_OFFERS of what people offer on `side`, those without a price last.

    `quantity` in base units keeps the offers that take exactly that in one trade. Raises
    NotFound.
    """
    frame = load_frame(session, market_id)
    price = _price_now(frame)
    best_first = price.asc() if side == "sell" else price.desc()
    query = select(Order).where(*_in_book(market_id, side))
    if method is not None:
        query = query.where(Order.methods.contains([method]))
    if quantity is not None:
        query = query.where(
            Order.min_trade <= quantity, func.least(Order.max_trade, Order.remaining) >= quantity
        )
    query = query.order_by(best_first.nulls_last(), Order.priority, Order.id).limit(MOST_OFFERS)
    found = session.scalars(query).all()
    people = reputations(session, {order.owner_id for order in found})
    who = _viewer(session, viewer)
    return [_offer(frame, order, people[order.owner_id], who) for order in found]


def offer(
    session: Session, order_id: int, link: str | None, viewer: int | None = None
) -> OfferView:
    """One offer; a private one only with its link, or to its owner.

    Raises NotFound, the same for a wrong link as for no offer.
    """
    order = find_offer(session, order_id, link, viewer)
    if order is None:
        raise NotFound("There is no such offer.", field="order_id", value=order_id)
    people = reputations(session, {order.owner_id})
    frame = load_frame(session, order.market_id)
    return _offer(frame, order, people[order.owner_id], _viewer(session, viewer))


def find_offer(
    session: Session, order_id: int, link: str | None, viewer: int | None
) -> Order | None:
    """The row of an offer that a person may see: None for a private one without its link."""
    order = session.get(Order, order_id)
    return order if order is not None and _may_see(order, link, viewer) else None


def _in_book(market_id: str, side: str) -> tuple[ColumnElement[bool], ...]:
    """What stands in the book for everybody."""
    return (
        Order.market_id == market_id,
        Order.status == OPEN,
        Order.side == side,
        Order.paused.is_(None),
        Order.link.is_(None),
        or_(Order.expires_ms.is_(None), Order.expires_ms > now_ms()),
    )


def _may_see(order: Order, link: str | None, viewer: int | None) -> bool:
    if order.status != OPEN:
        return False
    if order.owner_id == viewer:
        return True
    if order.paused is not None or (order.expires_ms or now_ms() + 1) <= now_ms():
        return False
    return order.link is None or hmac.compare_digest(order.link, link or "")


def _viewer(session: Session, user_id: int | None) -> _Viewer | None:
    return None if user_id is None else _Viewer(user_id, facts_of(session, user_id))


def _offer(
    frame: MarketFrame, order: Order, maker: Reputation, viewer: _Viewer | None
) -> OfferView:
    own = viewer is not None and order.owner_id == viewer.id
    problem, largest = (None, _largest(order)) if own else _for_viewer(frame, order, viewer)
    return OfferView(
        order_id=order.id,
        market=order.market_id,
        side=cast(Side, order.side),
        price=frame.price(frame.effective(order)),
        price_kind=cast(Literal["fixed", "floating"], order.price_kind),
        margin_bps=order.margin_bps,
        floor=frame.price(order.floor_ticks),
        ceiling=frame.price(order.ceiling_ticks),
        available=frame.amount(order.remaining),
        min_trade=frame.amount(order.min_trade),
        max_trade=frame.amount(largest),
        methods=order.methods,
        expires_at=iso(order.expires_ms),
        conditions=view_of(order.conditions, frame.amount, frame.base.code),
        unmet=problem,
        private=order.link is not None,
        paused=frame.pause(order),
        own=own,
        maker=maker,
    )


def _for_viewer(frame: MarketFrame, order: Order, viewer: _Viewer | None) -> tuple[str | None, int]:
    """What keeps a person from an offer, and the most they may trade with it."""
    largest = _largest(order)
    if viewer is None:
        return None, largest
    problem = unmet(order.conditions, viewer.facts, now_ms())
    allowed = largest_for(order.conditions, viewer.facts, largest)
    if problem is None and allowed < order.min_trade:
        coin = frame.base.code
        problem = (
            f"With people without a completed trade it trades at most {frame.amount(allowed)} "
            f"{coin}, which is below its smallest trade."
        )
        return problem, largest
    return problem, allowed


def _largest(order: Order) -> int:
    return min(order.max_trade, order.remaining)


def _price_now(frame: MarketFrame) -> ColumnElement[Any]:
    """`Frame.effective` as SQL, so that a large book stays in the database."""
    floating: ColumnElement[Any] = null()
    if frame.index_ticks is not None:
        twice = sql_cast(Order.margin_bps + 10_000, Numeric) * (2 * frame.index_ticks) + 10_000
        # GREATEST and LEAST leave NULLs out.
        floating = func.greatest(func.div(twice, 20_000), 1, Order.floor_ticks)
        floating = func.least(floating, Order.ceiling_ticks)
    return case((Order.price_kind == "fixed", sql_cast(Order.price_ticks, Numeric)), else_=floating)


def _levels(session: Session, frame: MarketFrame, side: str, depth: int) -> list[BookLevel]:
    price = _price_now(frame).label("price")
    levels = (
        select(price, func.sum(Order.remaining).label("quantity"), func.count().label("orders"))
        .where(*_in_book(frame.market.id, side))
        .group_by(price)
        .subquery()
    )
    best_first = levels.c.price.desc() if side == "buy" else levels.c.price.asc()
    rows = session.execute(
        select(levels).where(levels.c.price.is_not(None)).order_by(best_first).limit(depth)
    )
    return [
        BookLevel(cast(str, frame.price(int(ticks))), frame.amount(int(quantity)), count)
        for ticks, quantity, count in rows
    ]
