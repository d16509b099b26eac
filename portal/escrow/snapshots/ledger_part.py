"""What the database holds at one moment, so that it can be worked out again later.

The moment is each shard's place in its journal. Balances then are the balances now without the
transfers since: every transfer carries its command's place.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent, AuditStream
from portal.core.hashchain import START
from portal.engine.models import Journal, Shard
from portal.escrow.deployment import Deployment
from portal.escrow.models import EscrowRecord
from portal.trades.models import Trade

# The wing's own stream: the engine's are in the journal already.
_STREAM = "portal"
_TOTALS_NOW = text(
    "SELECT asset, kind, sum(balance) FROM account WHERE shard = :shard GROUP BY asset, kind"
)
_TOTALS_AT = text(
    """
    WITH since AS (
        SELECT from_id AS account_id, -amount AS change FROM transfer
        WHERE shard = :shard AND seq > :seq
        UNION ALL
        SELECT to_id, amount FROM transfer WHERE shard = :shard AND seq > :seq
    ), later AS (SELECT account_id, sum(change) AS change FROM since GROUP BY account_id)
    SELECT a.asset, a.kind, sum(a.balance - coalesce(l.change, 0))
    FROM account a LEFT JOIN later l ON l.account_id = a.id
    WHERE a.shard = :shard GROUP BY a.asset, a.kind
    """
)


def ledger_part(session: Session) -> dict[str, Any]:
    """Heads of journal and audit log, and what all accounts of a kind hold together.

    `session` must see one moment (REPEATABLE READ).
    """
    shards = session.scalars(select(Shard).order_by(Shard.name)).all()
    audit = session.get(AuditStream, _STREAM)
    return {
        "shards": {
            shard.name: {
                "seq": shard.seq,
                "journal_hash": shard.journal_hash,
                "totals": totals_now(session, shard.name),
            }
            for shard in shards
        },
        "audit": {"seq": audit.seq, "hash": audit.hash} if audit else {"seq": 0, "hash": START},
    }


def totals_now(session: Session, shard: str) -> dict[str, dict[str, str]]:
    """Units by asset and kind of account; zeros left out."""
    return _by_asset(session.execute(_TOTALS_NOW, {"shard": shard}))


def totals_at(session: Session, shard: str, seq: int) -> dict[str, dict[str, str]]:
    """The same once a shard's command `seq` was done. Reads every transfer there is."""
    return _by_asset(session.execute(_TOTALS_AT, {"shard": shard, "seq": seq}))


def _by_asset(rows: Iterable[Row[str, str, int]]) -> dict[str, dict[str, str]]:
    totals: dict[str, dict[str, str]] = {}
    for asset, kind, units in rows:
        if units:
            totals.setdefault(asset, {})[kind] = str(int(units))
    return totals


def journal_hash_at(session: Session, shard: str, seq: int) -> str | None:
    """The hash of the batch that ends at `seq`; None when no batch of the journal does."""
    if seq == 0:
        return START
    query = select(Journal.hash).where(Journal.shard == shard, Journal.last_seq == seq)
    return session.scalar(query)


def audit_hash_at(session: Session, seq: int) -> str | None:
    """The hash of an event of the portal's audit log; None when there is no such event."""
    if seq == 0:
        return START
    event = session.get(AuditEvent, (_STREAM, seq))
    return None if event is None else event.hash


def open_trades(session: Session) -> dict[str, str]:
    """Escrow ids by number of the trades on chain that are not over."""
    rows = session.execute(
        select(Trade.id, EscrowRecord.escrow_id)
        .join(EscrowRecord, EscrowRecord.trade_id == Trade.id)
        .where(Trade.escrow == "evm", ~Trade.closed, EscrowRecord.escrow_id.is_not(None))
        .order_by(Trade.id)
    )
    return {str(number): str(escrow_id) for number, escrow_id in rows}


def described(deployment: Deployment) -> dict[str, Any]:
    """The contracts as a snapshot keeps them, enough to read it without a database."""
    return {
        "chain_id": deployment.chain_id,
        "escrow": deployment.escrow,
        "tokens": dict(deployment.tokens),
        "block": deployment.block,
    }
