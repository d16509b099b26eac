"""The ledger: accounts and the transfers between them. Written by the engine alone.

A transfer is append-only; the database refuses one that is not positive, and a negative balance
on every kind of account a person owns.
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
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shard: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[int]
    asset: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    balance: Mapped[int]


class Transfer(Base):
    """`amount` moved from one account to another of the same asset, and what each held after.

    Transfers of one happening share `seq`, their command's place in the shard's journal.
    """

    __tablename__ = "transfer"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("from_id <> to_id", name="two_accounts"),
        Index("ix_transfer_from_id", "from_id", "id"),
        Index("ix_transfer_to_id", "to_id", "id"),
        Index("ix_transfer_trade_id", "trade_id", postgresql_where="trade_id IS NOT NULL"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shard: Mapped[str] = mapped_column(Text)
    seq: Mapped[int]
    at_ms: Mapped[int]
    kind: Mapped[str] = mapped_column(Text)
    from_id: Mapped[int]
    to_id: Mapped[int]
    amount: Mapped[int]
    from_after: Mapped[int]
    to_after: Mapped[int]
    order_id: Mapped[int | None]
    trade_id: Mapped[int | None]
    reference: Mapped[str | None] = mapped_column(Text)
