"""What must always hold, each as a query that lists where it does not."""

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import Text, cast, select, text
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent, AuditStream
from portal.core.hashchain import START, event_hash

_AT_ONCE = 5_000

# Each account's view of every transfer. What an account held before the first transfer that is
# still there is nothing, unless the days before were put away (then the journal is cut too).
_LEGS = """
    WITH cut AS (SELECT shard FROM journal GROUP BY shard HAVING min(first_seq) > 1),
    leg AS (
        SELECT shard, from_id AS account_id, id, -amount AS change, from_after AS after
        FROM transfer
        UNION ALL SELECT shard, to_id, id, amount, to_after FROM transfer
    ), told AS (
        SELECT account_id, id, change, after, lag(after, 1, CASE
            WHEN shard IN (SELECT shard FROM cut) THEN after - change ELSE 0 END
        ) OVER (PARTITION BY account_id ORDER BY id) AS before
        FROM leg
    )
"""

# Each query, put behind `_LEGS`, gives (what, expected, found) for every place that breaks a rule.
_RULES: dict[str, str] = {
    "a transfer joins two accounts of one asset": """
        SELECT 'transfer ' || t.id, 'an amount above 0 of one asset',
               concat(t.amount, ' of ', g.asset, ' to an account of ', r.asset)
        FROM transfer t
        LEFT JOIN account g ON g.id = t.from_id LEFT JOIN account r ON r.id = t.to_id
        WHERE t.amount <= 0 OR t.from_id = t.to_id OR g.asset IS NULL
              OR g.asset IS DISTINCT FROM r.asset
    """,
    "each transfer goes on from the one before": """
        SELECT 'account ' || account_id || ' after transfer ' || id, before + change, after
        FROM told WHERE before + change <> after
    """,
    "nobody ever has less than nothing": """
        SELECT 'account ' || a.id || ' after transfer ' || t.id, 'at least 0', t.after::text
        FROM told t JOIN account a ON a.id = t.account_id
        WHERE a.kind <> 'outside' AND t.after < 0
        UNION ALL
        SELECT 'account ' || id, 'at least 0', balance::text
        FROM account WHERE kind <> 'outside' AND balance < 0
    """,
    "a balance is the sum of its transfers": """
        , total AS (
            SELECT account_id, sum(change) + (array_agg(before ORDER BY id))[1] AS units
            FROM told GROUP BY account_id
        )
        SELECT 'account ' || a.id, coalesce(t.units, 0), a.balance
        FROM account a LEFT JOIN total t ON t.account_id = a.id
        WHERE coalesce(t.units, 0) <> a.balance
              AND NOT (t.units IS NULL AND a.shard IN (SELECT shard FROM cut))
    """,
    "an asset comes from outside and from nowhere else": """
        SELECT asset || ' of all accounts', 0, sum(balance)
        FROM account GROUP BY asset HAVING sum(balance) <> 0
    """,
    "what is held backs open orders and unlocked trades": """
        , wanted AS (
            SELECT o.owner_id, m.terms ->> CASE o.side WHEN 'sell' THEN 'base' ELSE 'quote' END
                   AS asset, sum(o.held) AS units
            FROM "order" o LEFT JOIN market_state m ON m.market_id = o.market_id
            WHERE o.status = 'open' AND o.held <> 0 GROUP BY 1, 2
            UNION ALL
            SELECT seller_id, base, sum(reserved) FROM trade
            WHERE NOT closed AND NOT locked GROUP BY 1, 2
        ), total AS (SELECT owner_id, asset, sum(units) AS units FROM wanted GROUP BY 1, 2)
        SELECT 'held of user ' || coalesce(a.owner_id, t.owner_id) || ' '
               || coalesce(a.asset, t.asset, 'of no asset'), coalesce(t.units, 0),
               coalesce(a.balance, 0)
        FROM (SELECT * FROM account WHERE kind = 'held') a
        FULL JOIN total t ON t.owner_id = a.owner_id AND t.asset = a.asset
        WHERE coalesce(t.units, 0) <> coalesce(a.balance, 0)
    """,
    "what is in escrow backs locked trades": """
        , total AS (
            SELECT seller_id AS owner_id, base AS asset, sum(escrow_units) AS units FROM trade
            WHERE NOT closed AND locked GROUP BY 1, 2
        )
        SELECT 'escrow of user ' || coalesce(a.owner_id, t.owner_id) || ' '
               || coalesce(a.asset, t.asset), coalesce(t.units, 0), coalesce(a.balance, 0)
        FROM (SELECT * FROM account WHERE kind = 'escrow') a
        FULL JOIN total t ON t.owner_id = a.owner_id AND t.asset = a.asset
        WHERE coalesce(t.units, 0) <> coalesce(a.balance, 0)
    """,
}

_JOURNAL_ENDS = """
    SELECT s.name, s.seq, s.journal_hash, coalesce(j.last_seq, 0), coalesce(j.hash, :start)
    FROM shard s LEFT JOIN LATERAL (
        SELECT last_seq, hash FROM journal WHERE shard = s.name ORDER BY first_seq DESC LIMIT 1
    ) j ON true ORDER BY s.name
"""


def ledger_differences(session: Session) -> Iterator[str]:
    """Where the ledger breaks one of its rules."""
    for rule, query in _RULES.items():
        for what, expected, found in session.execute(text(_LEGS + query)):
            yield f"{rule}: {what} should be {expected}, is {found}"


def chain_differences(session: Session) -> Iterator[str]:
    """Where an event log was changed, cut or reordered.

    A shard's log has no head of its own: whether its newest events are all there tells the replay
    of the journal (`portal.engine.replay`).
    """
    heads = {head.stream: head for head in session.scalars(select(AuditStream))}
    streams = set(session.scalars(select(AuditEvent.stream).distinct())) | set(heads)
    for stream in sorted(streams):
        yield from _walk(session, stream, heads.get(stream))


def journal_end_differences(session: Session) -> Iterator[str]:
    """Where a shard's journal does not end where its head says. The replay checks the rest."""
    rows = session.execute(text(_JOURNAL_ENDS), {"start": START})
    for shard, seq, head_hash, last_seq, last_hash in rows:
        if seq != last_seq:
            yield f"journal of {shard}: it ends at {last_seq}, its head says {seq}"
        elif head_hash != last_hash:
            yield f"journal of {shard}: its last batch is not the one its head knows"


def _walk(session: Session, stream: str, head: AuditStream | None) -> Iterator[str]:
    previous, seq = START, 0
    for found, at_ms, actor, kind, subject, data, hash_ in _rows(session, stream):
        seq += 1
        if found != seq:
            yield f"event log {stream}: event {seq} is missing"
            return
        previous = event_hash(
            previous,
            stream=stream,
            seq=seq,
            at_ms=at_ms,
            actor=actor,
            kind=kind,
            subject=subject,
            data=orjson.loads(data),
        )
        if previous != hash_:
            yield f"event log {stream}: event {seq} was changed"
            return
    if head is not None and (head.seq, head.hash) != (seq, previous):
        yield f"event log {stream}: it ends at {seq}, its head says {head.seq}"


def _rows(session: Session, stream: str) -> Iterator[Any]:
    """A stream's events as plain columns: an object for each would take most of the time."""
    event = AuditEvent
    query = (
        select(
            event.seq, event.at_ms, event.actor, event.kind, event.subject,
            cast(event.data, Text), event.hash,
        )
        .where(event.stream == stream)
        .order_by(event.seq)
    )  # fmt: skip
    rows = session.execute(query.execution_options(yield_per=_AT_ONCE))
    for some in rows.partitions():
        yield from some
