"""What the board must hold, by plain arithmetic over the engine's tables, and what it holds."""

from collections import Counter
from typing import Any

from sqlalchemy import select

from portal.board.models import Depth, Offer, TrackRecord
from portal.core.db import Database
from portal.engine.models import MarketState
from portal.orders.models import Order
from portal.orders.rules import floating_price
from portal.trades.models import Trade


def expected_offers(database: Database) -> dict[int, tuple[Any, ...]]:
    """What the board must hold, by plain arithmetic over the rows of table `order`."""
    with database.reader() as session:
        index = session.get_one(MarketState, "USDT-EUR").index_ticks
        query = select(Order).where(
            Order.status == "open", Order.paused.is_(None), Order.link.is_(None)
        )
        return {order.id: _as_offer(order, index) for order in session.scalars(query)}


def _as_offer(order: Order, index: int | None) -> tuple[Any, ...]:
    kind, value = "fixed", order.price_ticks
    if order.price_kind == "floating":
        kind, value = "floating", order.margin_bps
        free = floating_price(index, order.margin_bps or 0) if index else 0
        if order.ceiling_ticks is not None and free > order.ceiling_ticks:
            kind, value = "bound", order.ceiling_ticks
        elif order.floor_ticks is not None and free < order.floor_ticks:
            kind, value = "bound", order.floor_ticks
    rank = (value or 0) if order.side == "sell" else -(value or 0)
    most = min(order.max_trade, order.remaining)
    return order.side, kind, rank, order.remaining, order.min_trade, most, order.methods


def held_offers(database: Database) -> dict[int, tuple[Any, ...]]:
    with database.reader() as session:
        return {
            o.order_id: (o.side, o.kind, o.rank, o.quantity, o.min_trade, o.most, o.methods)
            for o in session.scalars(select(Offer))
        }


def held_depth(database: Database) -> dict[tuple[str, str, int], tuple[int, int]]:
    with database.reader() as session:
        return {
            (d.side, d.kind, d.rank): (int(d.quantity), d.orders)
            for d in session.scalars(select(Depth))
        }


def expected_depth(database: Database) -> dict[tuple[str, str, int], tuple[int, int]]:
    found: dict[tuple[str, str, int], tuple[int, int]] = {}
    for side, kind, rank, quantity, *_ in expected_offers(database).values():
        before = found.get((side, kind, rank), (0, 0))
        found[(side, kind, rank)] = (before[0] + quantity, before[1] + 1)
    return found


def expected_records(database: Database) -> tuple[Counter[int], Counter[int]]:
    completed: Counter[int] = Counter()
    ended: Counter[int] = Counter()
    with database.reader() as session:
        for trade in session.scalars(select(Trade).where(Trade.settled)):
            for person in (trade.buyer_id, trade.seller_id):
                ended[person] += 1
                completed[person] += trade.state in ("completed", "resolved_buyer")
    return completed, ended


def held_records(database: Database) -> tuple[Counter[int], Counter[int]]:
    with database.reader() as session:
        rows = session.scalars(select(TrackRecord)).all()
        completed = Counter({row.user_id: row.completed for row in rows})
        return completed, Counter({row.user_id: row.ended for row in rows})


def require_right(database: Database) -> None:
    assert held_offers(database) == expected_offers(database)
    assert held_depth(database) == expected_depth(database)
    assert held_records(database) == expected_records(database)
