"""Signatures of the parties, transactions under way, vaults and deployments."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.clock import utc_now
from portal.core.db import Base


class EscrowSignature(Base):
    """A party's EIP-712 signature for one act on one trade, with what was signed."""

    __tablename__ = "escrow_signature"
    __table_args__ = (UniqueConstraint("trade_id", "party", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    trade_id: Mapped[int]
    party: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    signature: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=utc_now)


class EscrowRecord(Base):
    """A trade's escrow: the exact terms it was opened with and where it stands on chain.

    `escrow_id` is the contract's trade id, `terms` the message of `IEscrow.Terms`. `status`:
    opening, open, paid, closed, failed.
    """

    __tablename__ = "escrow"

    trade_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    backend: Mapped[str] = mapped_column(Text)
    escrow_id: Mapped[str | None] = mapped_column(Text)
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class ChainIntent(Base):
    """A transaction the portal owes the chain: stored before it is sent, followed to the end.

    `status`: new, signed, sent, confirmed, done (chain already showed the effect), failed.
    `guarded`: the contract refuses the effect a second time, so that signing anew does no harm.
    From `urgent_at` on it bids more for its gas. `tx_hash` is that of the attempt that was mined,
    or of the newest; `block_number` where the effect was seen. `checked_at` is when the chain
    last showed it, `final_at` since when no reorg can take it back. `alarm` asks for a person.
    `reported_at` is when the engine was told how it ended.
    """

    __tablename__ = "chain_intent"
    __table_args__ = (
        UniqueConstraint("key"),
        Index("ix_chain_intent_status", "status"),
        Index("ix_chain_intent_trade_id", "trade_id"),
        Index(
            "ix_chain_intent_not_final",
            "id",
            postgresql_where=text("final_at IS NULL AND block_number IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    trade_id: Mapped[int | None]
    kind: Mapped[str] = mapped_column(Text)
    to_address: Mapped[str] = mapped_column(Text)
    data: Mapped[str] = mapped_column(Text)
    guarded: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(Text, default="new")
    not_before: Mapped[datetime | None]
    urgent_at: Mapped[datetime | None]
    tx_hash: Mapped[str | None] = mapped_column(Text)
    block_number: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(Text)
    alarm: Mapped[bool] = mapped_column(default=False)
    checked_at: Mapped[datetime | None]
    final_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class ChainAttempt(Base):
    """One signed transaction of an intent.

    `status`: reserved (has its nonce, not signed), signed, sent, mined, reverted, replaced
    (another attempt at its nonce was mined), lost (its nonce went to a stranger). Attempts at one
    nonce are numbered from 1, so two intents can never have the same nonce: both would need its
    first. Fees and `gas_price` (what was paid in the end) are wei per gas. `offered_at` is when
    the nodes last got it, `mined_at` when we saw it mined.
    """

    __tablename__ = "chain_attempt"
    __table_args__ = (
        UniqueConstraint("chain_id", "sender", "nonce", "number"),
        UniqueConstraint("tx_hash"),
        Index("ix_chain_attempt_intent_id", "intent_id"),
        Index("ix_chain_attempt_mined_at", "mined_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    intent_id: Mapped[int] = mapped_column(ForeignKey("chain_intent.id"))
    chain_id: Mapped[int]
    sender: Mapped[str] = mapped_column(Text)
    nonce: Mapped[int]
    number: Mapped[int]
    gas: Mapped[int]
    max_fee: Mapped[int]
    priority_fee: Mapped[int]
    raw: Mapped[str | None] = mapped_column(Text)
    tx_hash: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    sent_at: Mapped[datetime | None]
    offered_at: Mapped[datetime | None]
    mined_at: Mapped[datetime | None]
    block_number: Mapped[int | None]
    block_hash: Mapped[str | None] = mapped_column(Text)
    gas_used: Mapped[int | None]
    gas_price: Mapped[int | None]


class ChainDeployment(Base):
    """Addresses of the contracts in use on one chain: `escrow`, and `token:<asset>` per coin."""

    __tablename__ = "chain_deployment"

    chain_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    block_number: Mapped[int]


class ChainCursor(Base):
    """How far the logs of a chain have been read, by whom or for which vault."""

    __tablename__ = "chain_cursor"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    block_number: Mapped[int]
