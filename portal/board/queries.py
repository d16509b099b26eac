"""Reading the board: the best offers, depth by price, and how people's trades went."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal, or_, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from portal.board.models import FIXED, FLOATING, KINDS, BoardCursor, Depth, Offer, TrackRecord
from portal.core.clock import now_ms

_WHOLE_BPS = 10_000


@dataclass(frozen=True)
class Place:
    """Where an offer stands: of `kind` with `value`, ticks or (floating) basis points."""

    order_id: int
    kind: str
    value: int
    priority: int


@dataclass(frozen=True)
class Level:
    """All offers of one kind and value; `quantity` in base units."""

    side: str
    kind: str
    value: int
    quantity: int
    orders: int


@dataclass(frozen=True)
class Record:
    """How a person's trades ended; see `portal.board.models.TrackRecord`."""

    completed: int = 0
    ended: int = 0
    releases: int = 0
    release_ms: int = 0
    first_ms: int | None = None


@dataclass(frozen=True)
class Wanted:
    """Which offers count: for any of `methods`, that take `quantity` in one trade, not of one
    person. Empty or None: all."""

    methods: tuple[str, ...] = ()
    quantity: int | None = None
    but_of: int | None = None


def board_seq(session: Session, shard: str) -> int:
    """The last command of a shard that the board shows; 0 before it is built."""
    return session.scalar(select(BoardCursor.seq).where(BoardCursor.shard == shard)) or 0


def best_places(
    session: Session, market_id: str, side: str, wanted: Wanted, most: int
) -> list[Place]:
    """The best `most` offers of every kind, each kind from its best."""
    walks = [_walk(market_id, side, kind, wanted, most).subquery() for kind in KINDS]
    rows = session.execute(union_all(*(select(walk) for walk in walks)))
    return [Place(id_, kind, abs_value(side, rank), priority) for id_, kind, rank, priority in rows]


def levels(session: Session, market_id: str, depth: int, index_ticks: int | None) -> list[Level]:
    """What makes the best `depth` prices of both sides, by kind, each kind from its best.

    Without an index price only offers with one of their own have any.
    """
    kinds = KINDS if index_ticks else (FIXED,)
    walks = [
        select(Depth.side, Depth.kind, Depth.rank, Depth.quantity, Depth.orders)
        .where(Depth.market_id == market_id, Depth.side == side, Depth.kind == kind)
        .order_by(Depth.rank)
        .limit(depth if kind != FLOATING else _margins(depth, index_ticks or 1))
        .subquery()
        for side in ("buy", "sell")
        for kind in kinds
    ]
    rows = session.execute(union_all(*(select(walk) for walk in walks)))
    return [
        Level(side, kind, abs_value(side, rank), int(quantity), orders)
        for side, kind, rank, quantity, orders in rows
    ]


def records(session: Session, user_ids: Iterable[int]) -> dict[int, Record]:
    """How these people's trades ended, in all shards; people without any are left out."""
    rows = session.execute(
        select(
            TrackRecord.user_id,
            func.sum(TrackRecord.completed),
            func.sum(TrackRecord.ended),
            func.sum(TrackRecord.releases),
            func.sum(TrackRecord.release_ms),
            func.min(TrackRecord.first_ms),
        )
        .where(TrackRecord.user_id.in_(set(user_ids)))
        .group_by(TrackRecord.user_id)
    )
    return {
        user: Record(int(completed), int(ended), int(releases), int(release_ms), first)
        for user, completed, ended, releases, release_ms, first in rows
    }


def abs_value(side: str, rank: int) -> int:
    """The price or margin behind a rank."""
    return rank if side == "sell" else -rank


def _walk(
    market_id: str, side: str, kind: str, wanted: Wanted, most: int
) -> Select[int, str, int, int]:
    """Down one ladder, from its best."""
    conditions: list[ColumnElement[bool]] = [
        Offer.market_id == market_id,
        Offer.side == side,
        Offer.kind == kind,
        or_(Offer.expires_ms.is_(None), Offer.expires_ms > now_ms()),
    ]
    if wanted.methods:
        conditions.append(Offer.methods.overlap(cast(list(wanted.methods), ARRAY(Text))))
    if wanted.quantity is not None:
        conditions += [Offer.min_trade <= wanted.quantity, Offer.most >= wanted.quantity]
    if wanted.but_of is not None:
        conditions.append(Offer.owner_id != wanted.but_of)
    return (
        select(Offer.order_id, literal(kind).label("kind"), Offer.rank, Offer.priority)
        .where(*conditions)
        .order_by(Offer.rank, Offer.priority, Offer.order_id)
        .limit(most)
    )


def _margins(depth: int, index_ticks: int) -> int:
    """How many margins `depth` prices can be made of: where the index is low, many share one."""
    return (depth + 1) * (_WHOLE_BPS // index_ticks + 2)
