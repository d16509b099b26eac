"""What people offer: the book by price, and single offers to choose from.

Only what can be traded is shown to others: nothing that its owner, their holiday, its hours or
their balance keeps out of the book, and no private offer but to those who have its link. Which
offers are best, and how much there is at a price, is read from the board (`portal.board`), a
moment behind the engine; what an offer says is read from its order. One that has gone meanwhile
is refused by the engine when it is taken.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.board.models import FLOATING
from portal.board.queries import Place, Wanted, best_places, board_seq, levels
from portal.core.clock import iso, now_ms
from portal.core.errors import NotFound
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
    seq = board_seq(session, frame.market.shard)
    bids, asks = _levels(session, frame, depth)
    return BookView(
        market=market_id,
        seq=seq,
        at=cast(str, iso(now_ms())),
        index=IndexView(frame.price(frame.index_ticks), frame.index_reason),
        bids=bids,
        asks=asks,
    )


def best_prices(session: Session, frame: MarketFrame) -> tuple[str | None, str | None]:
    """The highest bid and the lowest ask of a market, as text."""
    bids, asks = _levels(session, frame, 1)
    return (bids[0].price if bids else None, asks[0].price if asks else None)


def best_for(
    session: Session, frame: MarketFrame, side: str, methods: Iterable[str], but_of: int
) -> int | None:
    """The best price in ticks that somebody on `side` offers for any of `methods`."""
    wanted = Wanted(methods=tuple(methods), but_of=but_of)
    places = best_places(session, frame.market.id, side, wanted, most=1)
    prices = [price for place in places if (price := _price_at(frame, place)) is not None]
    if not prices:
        return None
    return min(prices) if side == "sell" else max(prices)


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
    if quantity is not None and not frame.market.min_trade <= quantity <= frame.market.max_trade:
        return []
    wanted = Wanted(methods=() if method is None else (method,), quantity=quantity)
    places = best_places(session, market_id, side, wanted, MOST_OFFERS)
    best = sorted(places, key=lambda place: _better(side, _price_at(frame, place), place.priority))
    found = _still_there(session, [place.order_id for place in best[:MOST_OFFERS]])
    found.sort(key=lambda order: (_better(side, frame.effective(order), order.priority), order.id))
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


def _still_there(session: Session, order_ids: list[int]) -> list[Order]:
    """The rows of offers as they are now, but for those that have left since the board was."""
    rows = session.scalars(select(Order).where(Order.id.in_(order_ids)))
    return [order for order in rows if _may_see(order, None, None)]


def _price_at(frame: MarketFrame, place: Place) -> int | None:
    """The price in ticks of a place on the board; None for floating ones without an index."""
    if place.kind == FLOATING:
        return frame.floating(place.value, None, None)
    return place.value


def _better(side: str, price: int | None, priority: int) -> tuple[bool, int, int]:
    """What sorts the best price first, none last, and equal ones by their place in the queue."""
    worth = 0 if price is None else price if side == "sell" else -price
    return price is None, worth, priority


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


def _levels(
    session: Session, frame: MarketFrame, depth: int
) -> tuple[list[BookLevel], list[BookLevel]]:
    """The best bids and asks by price, from what the board has by kind."""
    sides: dict[str, dict[int, tuple[int, int]]] = {"buy": {}, "sell": {}}
    for level in levels(session, frame.market.id, depth, frame.index_ticks):
        price = frame.floating(level.value, None, None) if level.kind == FLOATING else level.value
        if price is not None:
            quantity, orders = sides[level.side].get(price, (0, 0))
            sides[level.side][price] = (quantity + level.quantity, orders + level.orders)
    return (
        [_level(frame, *found) for found in sorted(sides["buy"].items(), reverse=True)[:depth]],
        [_level(frame, *found) for found in sorted(sides["sell"].items())[:depth]],
    )


def _level(frame: MarketFrame, price: int, sums: tuple[int, int]) -> BookLevel:
    quantity, orders = sums
    return BookLevel(cast(str, frame.price(price)), frame.amount(quantity), orders)
