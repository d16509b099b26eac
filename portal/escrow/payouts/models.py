"""Which payouts are held, since when and why."""

from datetime import datetime

from sqlalchemy import Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.clock import utc_now
from portal.core.db import Base

_ON = text("lifted_at IS NULL")


class PayoutStop(Base):
    """Payouts of `asset` are held from `since` until `lifted_at`: to one person, or to everybody
    where `owner_id` is empty.

    `cause` is what it is for, `<kind>:<which>`, with one stop on for a cause at a time; `reason`
    are sentences, one a line. `fingerprint` tells what was found from another finding of the same
    cause; without one, nothing is ever taken for the same. `lifted_by` is `system` when the cause
    was gone, else the person who took it on themselves, with `note` telling why.
    """

    __tablename__ = "payout_stop"
    __table_args__ = (
        Index("uq_payout_stop_cause_on", "cause", unique=True, postgresql_where=_ON),
        Index("ix_payout_stop_on", "asset", postgresql_where=_ON),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[int | None]
    asset: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str | None] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
