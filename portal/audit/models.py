"""The append-only event log. The migration adds triggers that refuse UPDATE and DELETE."""

from typing import Any

from sqlalchemy import Index, LargeBinary, Text, UniqueConstraint
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


class AuditTile(Base):
    """Neighbouring hashes of the Merkle tree over all events; see `portal.audit.tiles`.

    They follow from the events, and `portal audit verify` works them out anew.
    """

    __tablename__ = "audit_tile"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)


class AuditSpan(Base):
    """Which events are which leaves: `count` of a stream from `first_seq` on, side by side."""

    __tablename__ = "audit_span"
    __table_args__ = (UniqueConstraint("stream", "first_seq"),)

    first_leaf: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stream: Mapped[str] = mapped_column(Text)
    first_seq: Mapped[int]
    count: Mapped[int]


class AuditCheckpoint(Base):
    """A signed statement of what the whole log was: its `size` in leaves and its root.

    `note` is what is published (C2SP tlog-checkpoint).
    """

    __tablename__ = "audit_checkpoint"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at_ms: Mapped[int]
    note: Mapped[str] = mapped_column(Text)
