"""Transactions that the portal owes the chain, each with one effect and followed to its end.

An intent is a row made in the transaction of the change that calls for it. What is signed for
it are its attempts; the rest of this package reserves their nonces, signs, sends, replaces and
follows them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import from_ms, utc_now
from portal.core.errors import Conflict, NotFound
from portal.escrow.chain.fees import Urgency
from portal.escrow.models import ChainAttempt, ChainIntent

NEW, SIGNED, SENT = "new", "signed", "sent"
CONFIRMED, DONE, FAILED = "confirmed", "done", "failed"
UNDER_WAY = (NEW, SIGNED, SENT)
ENDED = (CONFIRMED, DONE, FAILED)
# The kind of intent that does nothing but use a nonce that was left out.
FILL = "fill"


@dataclass(frozen=True)
class Outcome:
    """What the chain shows of an intent's effect without its own transaction.

    `conflict` says that something else happened instead, which this intent can't undo.
    """

    reference: str | None
    conflict: str | None = None


# Looks whether the effect is there already; None means it is not.
Observer = Callable[[Session, ChainIntent], Outcome | None]
# Told in the same transaction when an intent has ended.
Listener = Callable[[Session, ChainIntent], None]


def queue_intent(
    session: Session,
    *,
    key: str,
    kind: str,
    to: str,
    data: str,
    trade_id: int | None = None,
    not_before: int | None = None,
    urgent_at: int | None = None,
    guarded: bool = False,
) -> bool:
    """Add an intent unless one with this key exists; True when it is new.

    `not_before` is a Unix second before which sending it is useless, `urgent_at` one from which
    on it pays what the fastest pay. `guarded` says that the contract itself refuses the effect a
    second time: only such an intent may ever be signed with a second nonce by itself.
    """
    values = {
        "key": key,
        "kind": kind,
        "trade_id": trade_id,
        "to_address": to,
        "data": data,
        "guarded": guarded,
        "status": NEW,
        "alarm": False,
        "not_before": None if not_before is None else from_ms(not_before * 1000),
        "urgent_at": None if urgent_at is None else from_ms(urgent_at * 1000),
        "created_at": utc_now(),
        "updated_at": utc_now(),
    }
    statement = insert(ChainIntent).values(values).on_conflict_do_nothing(index_elements=["key"])
    return session.scalar(statement.returning(ChainIntent.id)) is not None


def retry_intent(session: Session, intent_id: int, actor: str) -> ChainIntent:
    """Let a failed intent be tried again, after a person removed the cause.

    Raises NotFound, or Conflict when it has not failed, or when its failed transaction may still
    take effect after a reorg and nothing would keep a second one from doing so too.
    """
    intent = session.get(ChainIntent, intent_id, with_for_update=True)
    if intent is None:
        raise NotFound(f"There is no transaction {intent_id}.", field="intent", value=intent_id)
    if intent.status != FAILED:
        raise Conflict(f"Transaction {intent_id} has not failed.", field="intent", value=intent_id)
    if intent.final_at is None and not intent.guarded:
        raise Conflict(
            f"The failure of transaction {intent_id} is not final on the chain yet.",
            field="intent",
            value=intent_id,
            hint="Try again in a quarter of an hour.",
        )
    begin_anew(intent, None)
    intent.alarm, intent.reported_at, intent.not_before = False, None, utc_now()
    record(session, actor, "escrow.retried", subject_of(intent), {"kind": intent.kind})
    return intent


def begin_anew(intent: ChainIntent, reason: str | None) -> None:
    """Back to the start: the next attempt gets a new nonce."""
    intent.status, intent.error = NEW, reason
    intent.tx_hash = intent.block_number = intent.checked_at = intent.final_at = None


def urgency_of(intent: ChainIntent) -> Urgency:
    """How soon it has to be mined, as things stand now."""
    late = intent.urgent_at is not None and intent.urgent_at <= utc_now()
    return Urgency.URGENT if late else Urgency.NORMAL


def subject_of(intent: ChainIntent) -> str:
    """What the event log says it is about."""
    return f"trade:{intent.trade_id}" if intent.trade_id else f"intent:{intent.id}"


def attempts_of(session: Session, intent_id: int, *statuses: str) -> list[ChainAttempt]:
    """An intent's attempts with one of these statuses (all if none is given), newest first."""
    found = select(ChainAttempt).where(ChainAttempt.intent_id == intent_id)
    if statuses:
        found = found.where(ChainAttempt.status.in_(statuses))
    return list(session.scalars(found.order_by(ChainAttempt.id.desc())))
