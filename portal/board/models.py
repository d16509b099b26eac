"""What lists and books are read from. Written by `portal.board` alone, from committed batches.

Nothing that is decided with money reads these tables: the engine knows better, at once.
"""

from decimal import Decimal

from sqlalchemy import Index, Numeric, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base

# How an offer gets its price: its own; a floor or ceiling that holds it now; index and margin.
FIXED, BOUND, FLOATING = "fixed", "bound", "floating"
KINDS = (FIXED, BOUND, FLOATING)


class Offer(Base):
    """An open order that stands in the book for everybody: neither paused nor private.

    `rank` is its price in ticks, of a floating one its margin in basis points; of buyers it is
    negative, so that the best is always the lowest. Below the index price `low_index` its floor
    sets the price, from `high_index` on its ceiling; None where it has none. `most` is the
    largest trade it can still make.
    """

    __tablename__ = "offer"
    __table_args__ = (
        Index("ix_offer_best", "market_id", "side", "kind", "rank", "priority", "order_id"),
        Index("ix_offer_methods", "methods", postgresql_using="gin"),
        Index(
            "ix_offer_low_index",
            "market_id",
            "low_index",
            postgresql_where="low_index IS NOT NULL",
        ),
        Index(
            "ix_offer_high_index",
            "market_id",
            "high_index",
            postgresql_where="high_index IS NOT NULL",
        ),
    )

    order_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shard: Mapped[str] = mapped_column(Text)
    market_id: Mapped[str] = mapped_column(Text)
    side: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    rank: Mapped[int]
    priority: Mapped[int]
    owner_id: Mapped[int]
    quantity: Mapped[int]
    min_trade: Mapped[int]
    most: Mapped[int]
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expires_ms: Mapped[int | None]
    low_index: Mapped[int | None]
    high_index: Mapped[int | None]


class Depth(Base):
    """All offers of one rank together: how much, and of how many orders."""

    __tablename__ = "depth"

    market_id: Mapped[str] = mapped_column(Text, primary_key=True)
    side: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shard: Mapped[str] = mapped_column(Text)
    quantity: Mapped[Decimal] = mapped_column(Numeric(40, 0))
    orders: Mapped[int]


class TrackRecord(Base):
    """How a person's trades in one shard ended.

    `ended`: escrows that were paid out, to whomever; `completed`: those paid to the buyer in
    full, the first at `first_ms`. A seller's `releases` took `release_ms` altogether, from the
    buyer's "paid" to the release.
    """

    __tablename__ = "track_record"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    completed: Mapped[int]
    ended: Mapped[int]
    releases: Mapped[int]
    release_ms: Mapped[int]
    first_ms: Mapped[int | None]


class BoardIndex(Base):
    """The index price of a market that its offers were ranked with."""

    __tablename__ = "board_index"

    market_id: Mapped[str] = mapped_column(Text, primary_key=True)
    shard: Mapped[str] = mapped_column(Text)
    index_ticks: Mapped[int | None]
    index_at_ms: Mapped[int | None]
    index_reason: Mapped[str | None] = mapped_column(Text)


class BoardCursor(Base):
    """How far of a shard the board is: its last journalled command, its last event.

    `at_ms` is when that command was applied. Changes in one transaction with what it speaks of.
    """

    __tablename__ = "board_cursor"

    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int]
    at_ms: Mapped[int]
    event_seq: Mapped[int]
