"""Double entry: accounts, entries, postings. Written by the engine alone.

Rows are append-only but for an account's balance; the database refuses a negative balance on
every kind of account a person owns.
"""

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base


class Account(Base):
    """What one owner has of one asset in one kind of pocket, in the asset's ledger units.

    Owner 0 is the platform. Kinds: `available`, `held` (open orders), `escrow` (open trades),
    `fee_income`, and `outside` (the world: what came in is its negative).
    """

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("owner_id", "asset", "kind"),
        CheckConstraint("kind = 'outside' OR balance >= 0", name="balance_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shard: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[int]
    asset: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    balance: Mapped[int]


class Entry(Base):
    """Something that moved money: what happened and to which order or trade."""

    __tablename__ = "entry"
    __table_args__ = (Index("ix_entry_trade_id", "trade_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shard: Mapped[str] = mapped_column(Text)
    seq: Mapped[int]
    at_ms: Mapped[int]
    kind: Mapped[str] = mapped_column(Text)
    order_id: Mapped[int | None]
    trade_id: Mapped[int | None]
    reference: Mapped[str | None] = mapped_column(Text)


class Posting(Base):
    """One account's part in an entry; an entry's postings sum to zero per asset."""

    __tablename__ = "posting"
    __table_args__ = (Index("ix_posting_account_id", "account_id", "entry_id"),)

    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[int]
    amount: Mapped[int]
    balance_after: Mapped[int]
