"""What has ended is looked at until no reorg can take it back; what one took back is put back."""

from datetime import timedelta

import structlog
from sqlalchemy import or_, select

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.escrow.chain import attempts as tries
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

log = structlog.get_logger(__name__)


def look_again(relayer: Relayer) -> int:
    """Look at what ended and is not final yet; returns how many intents a reorg put back.

    Each block is asked for once, however many intents are in it.
    """
    waiting = _waiting(relayer)
    if not waiting:
        return 0
    final = relayer.client.finalized()
    hashes: dict[int, str | None] = {}
    back = 0
    for intent, attempt in waiting:
        if attempt is None:
            there = relayer.observed(intent.id) is not None
        else:
            number = int(attempt.block_number or 0)
            if number not in hashes:
                hashes[number] = relayer.client.block_hash(number)
            if hashes[number] is None and relayer.client.block_number() < number:
                continue  # A node that lags says nothing about a block it has not got.
            there = hashes[number] == attempt.block_hash
        if there:
            _still_there(relayer, intent, final)
        else:
            _put_back(relayer, intent, attempt)
            back += 1
    return back


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


def _put_back(relayer: Relayer, seen: ChainIntent, attempt: ChainAttempt | None) -> None:
    """The same signed bytes go out again; only what had none of its own is begun anew."""
    with relayer.database.transaction() as session:
        intent = relayer.locked(session, seen.id, seen.status)
        if intent is None:
            return
        if attempt is None:
            begin_anew(intent, "A reorg took back what the chain had shown.")
        else:
            tries.take_back(session, session.get_one(ChainAttempt, attempt.id))
            intent.status, intent.block_number, intent.checked_at = SENT, None, None
        log.error("escrow.taken_back", intent=intent.id, was=seen.status, block=seen.block_number)
        data = {"kind": intent.kind, "tx": seen.tx_hash, "block": seen.block_number}
        record(session, "system", "escrow.taken_back", subject_of(intent), data)
