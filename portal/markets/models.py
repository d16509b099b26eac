"""Assets, markets, price sources and the quotes made from them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.clock import utc_now
from portal.core.db import Base


class AssetRow(Base):
    """A coin (`coin`) or a currency (`fiat`); `places` are those of its ledger unit."""

    __tablename__ = "asset"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    places: Mapped[int]


class Market(Base):
    """Where `base` coins trade against `quote` money, and under which terms.

    A price tick is 10**-price_places of quote per whole coin. Quantities are base ledger units
    and multiples of `lot`. `escrow` is `evm` or `ledger`. Windows are seconds. `status`: open,
    halted (no orders) or auction (orders, but no matching until it opens). `settlement`: `trade`
    waits for money, `instant` moves both coins in the ledger at once. A limit price is at most
    `band_bps` from the index (0: no band), a resting order is its owner's to change after
    `min_rest_ms`, and a person has at most `max_open_orders` (0: no limit).
    """

    __tablename__ = "market"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    base: Mapped[str] = mapped_column(ForeignKey("asset.code"))
    quote: Mapped[str] = mapped_column(ForeignKey("asset.code"))
    shard: Mapped[str] = mapped_column(Text, default="main")
    price_places: Mapped[int]
    lot: Mapped[int]
    min_trade: Mapped[int]
    max_trade: Mapped[int]
    escrow: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, default="open")
    payment_seconds: Mapped[int]
    release_seconds: Mapped[int]
    protection_bps: Mapped[int] = mapped_column(default=500)
    max_fee_bps: Mapped[int] = mapped_column(default=100)
    fee_model: Mapped[str] = mapped_column(Text)
    methods: Mapped[list[str]] = mapped_column(JSONB)
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(default=1)
    settlement: Mapped[str] = mapped_column(Text, default="trade", server_default="trade")
    band_bps: Mapped[int] = mapped_column(default=0, server_default="0")
    min_rest_ms: Mapped[int] = mapped_column(default=0, server_default="0")
    max_open_orders: Mapped[int] = mapped_column(default=0, server_default="0")


class Quote(Base):
    """A price the portal stood behind, with every source that went into it or was left out.

    `price_ticks` is None when there was no usable price; `reason` then says why. `observed_at` is
    the age of the oldest ticker used: the quote is good for the staleness limit from there.
    """

    __tablename__ = "quote"
    __table_args__ = (Index("ix_quote_market_id_at", "market_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    market_id: Mapped[str] = mapped_column(ForeignKey("market.id"))
    at: Mapped[datetime] = mapped_column(default=utc_now)
    observed_at: Mapped[datetime | None]
    price_ticks: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(Text)
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)


class JobRun(Base):
    """One run of a scheduled job."""

    __tablename__ = "job_run"
    __table_args__ = (Index("ix_job_run_job_started_at", "job", "started_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
