"""Which coins are not paid out, since when and why."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.clock import utc_now
from portal.core.db import Base


class TokenStop(Base):
    """Payouts of an asset are held from `began_at` until `ended_at`.

    `reason` is what differs, a sentence a line; `fingerprint` tells this difference from another
    one. `ended_by` is `system` when ledger and chain match again, else who accepted the
    difference, with `note` telling why.
    """

    __tablename__ = "token_stop"
    __table_args__ = (
        Index("uq_token_stop_open", "asset", unique=True, postgresql_where="ended_at IS NULL"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    asset: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(Text)
    began_at: Mapped[datetime] = mapped_column(default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
