"""The engine's own tables: heads, journal, keys, market state."""

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base


class Shard(Base):
    """The head of a shard. Every batch advances it; a writer of an old epoch can't.

    `number` keeps the ids of shards apart (see `portal.engine.ids`). `leader` names the engine
    that holds the lease until `lease_until` by the database's clock, `leader_backend` the
    PostgreSQL process that works for it.
    """

    __tablename__ = "shard"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    epoch: Mapped[int]
    seq: Mapped[int]
    journal_hash: Mapped[str] = mapped_column(Text)
    next_id: Mapped[int]
    leader: Mapped[str | None] = mapped_column(Text)
    leader_backend: Mapped[int | None]
    lease_until: Mapped[datetime | None]


class Journal(Base):
    """One batch of commands as they were applied, with the answers they got.

    `commands` is JSON: [[seq, at_ms, command], …]; `answers` is JSON: {seq: answer} of those
    commands that have a key. `at_ms` is the last command's time. `hash` chains `commands`.
    `changed_orders` is JSON: the ids of the orders that the batch changed, but for those it both
    made and ended; None: not noted.
    """

    __tablename__ = "journal"
    __table_args__ = ({"postgresql_partition_by": "RANGE (at_ms)"},)

    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    first_seq: Mapped[int] = mapped_column(primary_key=True)
    at_ms: Mapped[int] = mapped_column(primary_key=True)
    last_seq: Mapped[int]
    epoch: Mapped[int]
    commands: Mapped[bytes] = mapped_column(LargeBinary)
    answers: Mapped[bytes] = mapped_column(LargeBinary)
    previous: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)
    changed_orders: Mapped[bytes | None] = mapped_column(LargeBinary)


class CommandKey(Base):
    """Which command a key was used for: the journal has it and its answer.

    Kept for today and the day before (`day` as in `portal.engine.ids`): a retry comes soon.
    """

    __tablename__ = "command_key"
    __table_args__ = ({"postgresql_partition_by": "RANGE (day)"},)

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int]


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


class EngineSnapshot(Base):
    """A part of a shard's memory as it was at `seq`; see `portal.engine.snapshots`."""

    __tablename__ = "engine_snapshot"

    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    journal_hash: Mapped[str] = mapped_column(Text)
    format: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]


class EngineStatus(Base):
    """What each engine says of itself every few seconds: `alarm` is what an operator must see.

    `role`: standby, leading, or blocked while nothing can be stored. `seq` is the last command
    that it has in memory.
    """

    __tablename__ = "engine_status"

    shard: Mapped[str] = mapped_column(Text, primary_key=True)
    engine: Mapped[str] = mapped_column(Text, primary_key=True)
    role: Mapped[str] = mapped_column(Text)
    alarm: Mapped[str | None] = mapped_column(Text)
    seq: Mapped[int | None]
    since: Mapped[datetime]
    at: Mapped[datetime]
