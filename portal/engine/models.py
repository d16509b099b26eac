"""The engine's own tables: heads, journal, results, market state."""

from typing import Any

from sqlalchemy import Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base


class Shard(Base):
    """The head of a shard. Every batch advances it; a writer of an old epoch can't."""

    __tablename__ = "shard"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    epoch: Mapped[int]
    seq: Mapped[int]
    journal_hash: Mapped[str] = mapped_column(Text)
    next_id: Mapped[int]


class Journal(Base):
    """One batch of commands as they were applied: `commands` is a JSON array, stamped."""

    __tablename__ = "journal"

    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    first_seq: Mapped[int] = mapped_column(primary_key=True)
    last_seq: Mapped[int]
    epoch: Mapped[int]
    at_ms: Mapped[int]
    commands: Mapped[bytes] = mapped_column(LargeBinary)
    previous: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)


class CommandResult(Base):
    """The answer to a keyed command, so that a retry gets the same one."""

    __tablename__ = "command_result"
    __table_args__ = (Index("ix_command_result_shard_seq", "shard", "seq"),)

    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(Text)
    result: Mapped[dict[str, Any]] = mapped_column(JSONB)


class MarketState(Base):
    """A market as the engine knows it: its terms and its index price.

    `index_ticks` None means floating orders are paused; `index_reason` says why.
    """

    __tablename__ = "market_state"

    market_id: Mapped[str] = mapped_column(Text, primary_key=True)
    shard: Mapped[str] = mapped_column(Text)
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    index_ticks: Mapped[int | None]
    index_at_ms: Mapped[int | None]
    index_reason: Mapped[str | None] = mapped_column(Text)
    quote_id: Mapped[int | None]
    index_until_ms: Mapped[int | None]
