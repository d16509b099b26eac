"""Orders as the engine writes them. Amounts in base ledger units, prices in market ticks."""

from typing import Any

from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base


class Order(Base):
    """An order. `status`: open, filled, cancelled.

    A floating order has `margin_bps` over the index instead of `price_ticks`, and may have a
    `floor_ticks` and a `ceiling_ticks`. `held` is what of the owner's balance still backs it; a
    `shared` order holds nothing until it matches. `accounts` maps a payment method to the
    owner's payment account. `authority` names the signed order authority (EVM escrow).
    `paused` says why an open order is out of the book: owner, away, hours, balance. `hours` are
    spans of minutes of the week (UTC), `facts` what was known of the owner, `conditions` whom
    the order trades with, `link` the secret of a private one; None where unsaid. At one price
    the lower `priority` goes first. `via` names the API key it came by.
    """

    __tablename__ = "order"
    __table_args__ = (
        Index("ix_order_market_open", "market_id", postgresql_where="status = 'open'"),
        Index("ix_order_owner_id", "owner_id", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shard: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[int]
    market_id: Mapped[str] = mapped_column(Text)
    side: Mapped[str] = mapped_column(Text)
    order_type: Mapped[str] = mapped_column(Text)
    price_kind: Mapped[str] = mapped_column(Text)
    price_ticks: Mapped[int | None]
    margin_bps: Mapped[int | None]
    quantity: Mapped[int]
    remaining: Mapped[int]
    min_trade: Mapped[int]
    max_trade: Mapped[int]
    methods: Mapped[list[str]] = mapped_column(JSONB)
    accounts: Mapped[dict[str, int]] = mapped_column(JSONB)
    tif: Mapped[str] = mapped_column(Text)
    max_fee_bps: Mapped[int]
    held: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    authority: Mapped[str | None] = mapped_column(Text)
    take_order: Mapped[int | None]
    created_ms: Mapped[int]
    updated_ms: Mapped[int]
    floor_ticks: Mapped[int | None]
    ceiling_ticks: Mapped[int | None]
    post_only: Mapped[bool]
    expires_ms: Mapped[int | None]
    stp: Mapped[str] = mapped_column(Text)
    shared: Mapped[bool]
    hours: Mapped[list[list[int]] | None] = mapped_column(JSONB(none_as_null=True))
    conditions: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    link: Mapped[str | None] = mapped_column(Text)
    via: Mapped[str | None] = mapped_column(Text)
    quote_set: Mapped[str | None] = mapped_column(Text)
    priority: Mapped[int]
    paused: Mapped[str | None] = mapped_column(Text)
    maker_fee_bps: Mapped[int]
    taker_fee_bps: Mapped[int]


class OrderAuthority(Base):
    """What a seller's device signed so that escrow may open without them (EIP-712)."""

    __tablename__ = "order_authority"

    hash: Mapped[str] = mapped_column(Text, primary_key=True)
    owner_id: Mapped[int]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    signature: Mapped[str] = mapped_column(Text)
