"""What has ended is looked at until no reorg can take it back; what one took back is put back."""

from datetime import timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.escrow.chain import attempts as tries
from portal.escrow.chain.agreed import block_hash, final_height
from portal.escrow.chain.attempts import MINED, REVERTED
from portal.escrow.chain.intents import (
    CONFIRMED,
    ENDED,
    FAILED,
    SENT,
    attempts_of,
    begin_anew,
    subject_of,
)
from portal.escrow.chain.relayer import Relayer
from portal.escrow.models import ChainAttempt, ChainIntent

TAKEN_BACK = "A reorg took back the block that had it."

log = structlog.get_logger(__name__)


def look_again(relayer: Relayer) -> int:
    """Look at what ended and is not final yet; returns how many intents a reorg put back.

    Each block is asked for once, however many intents are in it.
    """
    waiting = _waiting(relayer)
    if not waiting:
        return 0
    final = final_height(relayer.client)
    numbers = {attempt.block_number for _, attempt in waiting if attempt and attempt.block_number}
    hashes = {number: block_hash(relayer.client, number) for number in numbers}
    back = 0
    for intent, attempt in waiting:
        try:
            there = _is_there(relayer, intent, attempt, hashes)
        except Exception:
            log.exception("escrow.defect", intent=intent.id)
            continue
        if there:
            _still_there(relayer, intent, final)
        elif there is False:
            back += _gone(relayer, intent)
    return back


def _gone(relayer: Relayer, seen: ChainIntent) -> bool:
    with relayer.database.transaction() as session:
        intent = relayer.locked(session, seen.id, seen.status)
        if intent is not None:
            put_back(session, intent)
        return intent is not None


def _is_there(
    relayer: Relayer,
    intent: ChainIntent,
    attempt: ChainAttempt | None,
    hashes: dict[int, str | None],
) -> bool | None:
    """None where nodes that lag, or that do not agree, leave it open."""
    if attempt is None:
        outcome = relayer.observed(intent.id)
        return outcome is not None and outcome.conflict is None
    found = hashes.get(attempt.block_number or 0)
    return None if found is None else found == attempt.block_hash


def _waiting(relayer: Relayer) -> list[tuple[ChainIntent, ChainAttempt | None]]:
    """What is due, each with the attempt that ended it, if one did."""
    before = utc_now() - timedelta(seconds=relayer.policy.check_seconds)
    due = or_(ChainIntent.checked_at.is_(None), ChainIntent.checked_at <= before)
    with relayer.database.reader() as session:
        intents = session.scalars(
            select(ChainIntent)
            .where(ChainIntent.final_at.is_(None), ChainIntent.block_number.is_not(None))
            .where(ChainIntent.status.in_(ENDED), due)
            .order_by(ChainIntent.id)
        ).all()
        return [(intent, _ending(attempts_of(session, intent.id), intent)) for intent in intents]


def _ending(attempts: list[ChainAttempt], intent: ChainIntent) -> ChainAttempt | None:
    wanted = {CONFIRMED: MINED, FAILED: REVERTED}.get(intent.status)
    return next((attempt for attempt in attempts if attempt.status == wanted), None)


def _still_there(relayer: Relayer, seen: ChainIntent, final: int) -> None:
    with relayer.database.transaction() as session:
        intent = relayer.locked(session, seen.id, seen.status)
        if intent is not None:
            intent.checked_at = utc_now()
            if int(intent.block_number or 0) <= final:
                intent.final_at = utc_now()


def put_back(session: Session, intent: ChainIntent) -> None:
    """A reorg took back how an intent (locked by the caller) ended.

    The same signed bytes go out again; only what had none of its own is begun anew.
    """
    was, block, tx_hash = intent.status, intent.block_number, intent.tx_hash
    attempt = _ending(attempts_of(session, intent.id), intent)
    if attempt is None:
        begin_anew(intent, TAKEN_BACK)
    else:
        tries.take_back(session, attempt)
        intent.status, intent.error = SENT, TAKEN_BACK
        intent.block_number = intent.checked_at = None
    log.error("escrow.taken_back", intent=intent.id, was=was, block=block)
    data = {"kind": intent.kind, "tx": tx_hash, "block": block}
    record(session, "system", "escrow.taken_back", subject_of(intent), data)
