"""What must always hold, each as a query that lists where it does not."""

from collections.abc import Iterator

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent, AuditStream
from portal.core.hashchain import START, event_hash

# Each query gives (what, expected, found) rows for every place that breaks the rule.
_RULES: dict[str, str] = {
    "every entry sums to zero per asset": """
        SELECT 'entry ' || p.entry_id || ' ' || a.asset, 0, sum(p.amount)
        FROM posting p JOIN account a ON a.id = p.account_id
        GROUP BY p.entry_id, a.asset HAVING sum(p.amount) <> 0
    """,
    "a balance is the sum of its postings": """
        SELECT 'account ' || a.id, coalesce(sum(p.amount), 0), a.balance
        FROM account a LEFT JOIN posting p ON p.account_id = a.id
        GROUP BY a.id HAVING coalesce(sum(p.amount), 0) <> a.balance
    """,
    "what is held backs open orders and unlocked trades": """
        WITH wanted AS (
            SELECT o.owner_id, m.base AS asset, sum(o.held) AS units
            FROM "order" o JOIN market m ON m.id = o.market_id
            WHERE o.status = 'open' GROUP BY 1, 2
            UNION ALL
            SELECT seller_id, base, sum(reserved) FROM trade
            WHERE NOT locked AND state <> 'cancelled' GROUP BY 1, 2
        ), total AS (SELECT owner_id, asset, sum(units) AS units FROM wanted GROUP BY 1, 2)
        SELECT 'held of user ' || coalesce(a.owner_id, t.owner_id) || ' '
               || coalesce(a.asset, t.asset), coalesce(t.units, 0), coalesce(a.balance, 0)
        FROM (SELECT * FROM account WHERE kind = 'held') a
        FULL JOIN total t ON t.owner_id = a.owner_id AND t.asset = a.asset
        WHERE coalesce(t.units, 0) <> coalesce(a.balance, 0)
    """,
    "what is in escrow backs locked trades": """
        WITH total AS (
            SELECT seller_id AS owner_id, base AS asset, sum(escrow_units) AS units FROM trade
            WHERE locked AND NOT settled GROUP BY 1, 2
        )
        SELECT 'escrow of user ' || coalesce(a.owner_id, t.owner_id) || ' '
               || coalesce(a.asset, t.asset), coalesce(t.units, 0), coalesce(a.balance, 0)
        FROM (SELECT * FROM account WHERE kind = 'escrow') a
        FULL JOIN total t ON t.owner_id = a.owner_id AND t.asset = a.asset
        WHERE coalesce(t.units, 0) <> coalesce(a.balance, 0)
    """,
}


def ledger_differences(session: Session) -> Iterator[str]:
    """Where the ledger breaks one of its rules."""
    for rule, query in _RULES.items():
        for what, expected, found in session.execute(text(query)):
            yield f"{rule}: {what} should be {expected}, is {found}"


def chain_differences(session: Session) -> Iterator[str]:
    """Where an event log was changed, cut or reordered."""
    heads = {head.stream: head for head in session.scalars(select(AuditStream))}
    streams = set(session.scalars(select(AuditEvent.stream).distinct())) | set(heads)
    for stream in sorted(streams):
        yield from _walk(session, stream, heads.get(stream))


def _walk(session: Session, stream: str, head: AuditStream | None) -> Iterator[str]:
    previous, seq = START, 0
    query = select(AuditEvent).where(AuditEvent.stream == stream).order_by(AuditEvent.seq)
    for event in session.scalars(query.execution_options(yield_per=1000)):
        seq += 1
        if event.seq != seq:
            yield f"event log {stream}: event {seq} is missing"
            return
        if event.previous != previous or _hash(event) != event.hash:
            yield f"event log {stream}: event {seq} was changed"
            return
        previous = event.hash
    if head is not None and (head.seq, head.hash) != (seq, previous):
        yield f"event log {stream}: it ends at {seq}, its head says {head.seq}"


def _hash(event: AuditEvent) -> str:
    return event_hash(
        event.previous,
        stream=event.stream,
        seq=event.seq,
        at_ms=event.at_ms,
        actor=event.actor,
        kind=event.kind,
        subject=event.subject,
        data=event.data,
    )
