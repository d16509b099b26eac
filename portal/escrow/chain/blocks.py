"""Tables of what was read from the chain, what was booked of it, and what endpoints are like."""

from datetime import datetime

from sqlalchemy import Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.clock import utc_now
from portal.core.db import Base


class ChainBlock(Base):
    """A block that was read. Above the finalized height without gaps; below it only anchors."""

    __tablename__ = "chain_block"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(Text)
    parent_hash: Mapped[str] = mapped_column(Text)
    timestamp: Mapped[int]


class ChainLog(Base):
    """A log of a contract we watch, in the block that had it when it was read.

    Addresses are lower case; topics and data hexadecimal.
    """

    __tablename__ = "chain_log"
    __table_args__ = (
        Index("ix_chain_log_address", "address", "block_number"),
        Index("ix_chain_log_tx_hash", "tx_hash"),
    )

    block_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    block_hash: Mapped[str] = mapped_column(Text)
    tx_hash: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    topics: Mapped[list[str]] = mapped_column(ARRAY(Text))
    data: Mapped[str] = mapped_column(Text)


class ChainMovement(Base):
    """Coins that came into a vault or left it, and what became of booking them.

    `kind`: deposit, withdraw. `key` is that of the engine's command. `state`: see `movements`.
    """

    __tablename__ = "chain_movement"
    __table_args__ = (
        Index("uq_chain_movement_key", "key", unique=True),
        Index("ix_chain_movement_tx_hash", "tx_hash"),
        Index(
            "ix_chain_movement_open",
            "block_number",
            postgresql_where=text("state NOT IN ('final', 'refused', 'reversed')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    chain_id: Mapped[int]
    tx_hash: Mapped[str] = mapped_column(Text)
    log_index: Mapped[int]
    block_number: Mapped[int]
    block_hash: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[int]
    asset: Mapped[str] = mapped_column(Text)
    units: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class ChainEndpoint(Base):
    """What the scheduler last saw of an RPC endpoint. Only to be looked at: nothing decides by it.

    `position` is its place in CHAIN_RPC_URLS; `name` the part of its address that holds no key.
    """

    __tablename__ = "chain_endpoint"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    height: Mapped[int | None]
    latency_ms: Mapped[int | None]
    errors: Mapped[int]
    disagreements: Mapped[int]
    last_error: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=utc_now)
