"""Trades as the engine writes them; the rest around a trade by ordinary services."""

from datetime import datetime

from sqlalchemy import Computed, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.clock import utc_now
from portal.core.db import Base


class Trade(Base):
    """A trade of `quantity` base units at `price_ticks`, for `fiat_units` of quote money.

    `escrow_units` is what is locked: quantity + seller_fee. `deadline_ms` is when `timer`
    (`payment` or `release`) runs out; both are None when no clock runs. `to_buyer` is the gross
    part of the escrow that a settlement gives the buyer. `state` walks the table in
    `portal.trades.rules`; `closed` when nothing more can happen. Whatever looks for open trades
    asks for `~Trade.closed`, which has an index.
    """

    __tablename__ = "trade"
    __table_args__ = (
        # Nothing that a step changes may be indexed, or PostgreSQL writes every index of it anew.
        Index("ix_trade_open", "id", postgresql_where="NOT closed"),
        Index("ix_trade_buyer_id", "buyer_id", "id"),
        Index("ix_trade_seller_id", "seller_id", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shard: Mapped[str] = mapped_column(Text)
    market_id: Mapped[str] = mapped_column(Text)
    base: Mapped[str] = mapped_column(Text)
    quote: Mapped[str] = mapped_column(Text)
    escrow: Mapped[str] = mapped_column(Text)
    maker_order_id: Mapped[int]
    taker_order_id: Mapped[int]
    maker_side: Mapped[str] = mapped_column(Text)
    buyer_id: Mapped[int]
    seller_id: Mapped[int]
    buyer_account_id: Mapped[int | None]
    seller_account_id: Mapped[int | None]
    method: Mapped[str] = mapped_column(Text)
    authority: Mapped[str | None] = mapped_column(Text)
    quantity: Mapped[int]
    price_ticks: Mapped[int]
    fiat_units: Mapped[int]
    index_ticks: Mapped[int | None]
    quote_id: Mapped[int | None]
    reserved: Mapped[int]
    max_buyer_fee: Mapped[int]
    buyer_fee: Mapped[int]
    seller_fee: Mapped[int]
    fee_note: Mapped[str | None] = mapped_column(Text)
    escrow_units: Mapped[int]
    to_buyer: Mapped[int | None]
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    timer: Mapped[str | None] = mapped_column(Text)
    deadline_ms: Mapped[int | None]
    payment_deadline_ms: Mapped[int | None]
    locked: Mapped[bool]
    settled: Mapped[bool]
    closed: Mapped[bool] = mapped_column(
        Computed("settled OR (state = 'cancelled' AND NOT locked)", persisted=True)
    )
    lock_reference: Mapped[str | None] = mapped_column(Text)
    settle_reference: Mapped[str | None] = mapped_column(Text)
    payment_proof: Mapped[str | None] = mapped_column(Text)
    created_ms: Mapped[int]
    updated_ms: Mapped[int]


class Dispute(Base):
    """A dispute's ticket: why it was opened, what the arbiter decided and why in words."""

    __tablename__ = "dispute"

    trade_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    opened_by: Mapped[int | None]
    opened_at: Mapped[datetime] = mapped_column(default=utc_now)
    reason: Mapped[str] = mapped_column(Text)
    statement: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(Text, default="open")
    outcome: Mapped[str | None] = mapped_column(Text)
    to_buyer: Mapped[int | None]
    decision: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[int | None]
    decided_at: Mapped[datetime | None]


class DisputeStatement(Base):
    """What a party said in a dispute, in order."""

    __tablename__ = "dispute_statement"

    id: Mapped[int] = mapped_column(primary_key=True)
    trade_id: Mapped[int] = mapped_column(index=True)
    user_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=utc_now)
    text: Mapped[str] = mapped_column(Text)
