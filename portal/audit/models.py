"""The append-only event log. The migration adds triggers that refuse UPDATE and DELETE."""

from typing import Any

from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base


class AuditEvent(Base):
    """One fact, chained to the one before it in its stream.

    `hash` is SHA-256 over the hash before it and the canonical JSON of the event. Streams:
    `shard:<name>` is written by the engine beside the effects of its commands, and is what
    other parts consume; `portal` holds everything else.
    """

    __tablename__ = "audit_event"
    __table_args__ = (Index("ix_audit_event_subject", "subject", "at_ms"),)

    stream: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at_ms: Mapped[int]
    actor: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    hash: Mapped[str] = mapped_column(Text)


class AuditStream(Base):
    """The head of a stream; locked while an event is appended."""

    __tablename__ = "audit_stream"

    stream: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str] = mapped_column(Text)


class OutboxCursor(Base):
    """How far a consumer has read a stream."""

    __tablename__ = "outbox_cursor"

    consumer: Mapped[str] = mapped_column(Text, primary_key=True)
    stream: Mapped[str] = mapped_column(Text, primary_key=True)
    seq: Mapped[int]
