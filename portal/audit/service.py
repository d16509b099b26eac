"""Appending to the event log."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent, AuditStream
from portal.core.clock import now_ms
from portal.core.hashchain import START, event_hash

PORTAL_STREAM = "portal"


def record(
    session: Session,
    actor: str,
    kind: str,
    subject: str,
    data: dict[str, Any],
    *,
    stream: str = PORTAL_STREAM,
) -> None:
    """Append an event in the caller's transaction; both are kept or neither is.

    `actor` is `user:<id>`, `staff:<id>` or `system`; `subject` is what it is about, such as
    `trade:7`. `data` must be JSON. Appends to one stream wait for each other, so record last.
    """
    session.flush()
    head = _lock_head(session, stream)
    event: dict[str, Any] = {
        "stream": stream,
        "seq": head.seq + 1,
        "at_ms": now_ms(),
        "actor": actor,
        "kind": kind,
        "subject": subject,
        "data": data,
    }
    digest = event_hash(head.hash, **event)
    session.add(AuditEvent(**event, hash=digest))
    head.seq, head.hash = head.seq + 1, digest
    session.flush()


def _lock_head(session: Session, stream: str) -> AuditStream:
    session.execute(
        text(
            "INSERT INTO audit_stream (stream, seq, hash) VALUES (:s, 0, :h) ON CONFLICT DO NOTHING"
        ),
        {"s": stream, "h": START},
    )
    return session.get_one(AuditStream, stream, with_for_update=True, populate_existing=True)
