"""Bank statements and their lines. Who paid, from where and what they wrote is sealed."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.clock import utc_now
from portal.core.db import Base


class BankStatement(Base):
    """A statement file that was imported whole.

    `sha256` and (`account_index`, `message_id`) keep the same file from being taken twice.
    `lines` is how many movements it had, `new_lines` how many were not known already.
    """

    __tablename__ = "statement"
    __table_args__ = (
        UniqueConstraint("sha256"),
        UniqueConstraint("method", "account_index", "message_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    method: Mapped[str] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(Text)
    account_index: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    filename: Mapped[str] = mapped_column(Text)
    size: Mapped[int]
    lines: Mapped[int]
    new_lines: Mapped[int]
    imported_by: Mapped[str] = mapped_column(Text)
    imported_at: Mapped[datetime] = mapped_column(default=utc_now)


class StatementLine(Base):
    """A movement on a bank account, and what was made of it.

    `status` is the bank's: booked, pending, other. `state` is ours:

    - `ignored`: proves nothing and needs nobody (a debit, a booking not final yet);
    - `verifying`: proves the payment of `trade_id`; the engine is told once the buyer has
      marked the trade as paid;
    - `verified`: the engine was told;
    - `manual`: somebody has to look; `reason` says at what;
    - `dismissed`: somebody looked and it concerns no trade.

    `amount_units` are ledger units of `currency`. `matched_by`: reference, text, amount, staff.
    """

    __tablename__ = "statement_line"
    __table_args__ = (
        UniqueConstraint("account_index", "entry_ref", "status", "reversal"),
        Index("ix_statement_line_todo", "id", postgresql_where="state IN ('verifying', 'manual')"),
        Index("ix_statement_line_trade_id", "trade_id"),
        Index("ix_statement_line_statement_id", "statement_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    statement_id: Mapped[int] = mapped_column(ForeignKey("statement.id"))
    method: Mapped[str] = mapped_column(Text)
    account_index: Mapped[str] = mapped_column(Text)
    account_label: Mapped[str] = mapped_column(Text)
    entry_ref: Mapped[str] = mapped_column(Text)
    source_line: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    reversal: Mapped[bool]
    direction: Mapped[str] = mapped_column(Text)
    amount_units: Mapped[int]
    currency: Mapped[str] = mapped_column(Text)
    booking_date: Mapped[date | None] = mapped_column(Date)
    sealed: Mapped[str] = mapped_column(Text)
    payment_index: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    trade_id: Mapped[int | None]
    matched_by: Mapped[str | None] = mapped_column(Text)
    name_match: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[int | None]
    decided_at: Mapped[datetime | None]
