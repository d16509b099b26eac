"""From signed bytes to a confirmed effect: sent to every node, looked for, sent again, replaced."""

from collections.abc import Sequence

import structlog
from sqlalchemy.orm import Session

from portal.core.clock import utc_now
from portal.escrow.chain import attempts as tries
from portal.escrow.chain.attempts import MINED, OPEN, RESERVED, REVERTED
from portal.escrow.chain.client import Receipt
from portal.escrow.chain.intents import (
    CONFIRMED,
    DONE,
    FILL,
    SENT,
    SIGNED,
    Outcome,
    attempts_of,
    begin_anew,
)
from portal.escrow.chain.majority import knows, nonce_of, went_to_another
from portal.escrow.chain.relayer import Relayer
from portal.escrow.chain.signing import replace, sign
from portal.escrow.chain.spending import alarm_over_budget
from portal.escrow.models import ChainAttempt, ChainIntent

log = structlog.get_logger(__name__)

STOLEN = "Its nonce went to a transaction that is not the portal's"


def send(relayer: Relayer, intent_id: int) -> None:
    """Hand the newest signed bytes to the chain. The same bytes can't take effect twice.

    Raises Unavailable when no node takes them.
    """
    with relayer.database.reader() as session:
        attempts = attempts_of(session, intent_id, tries.SIGNED)
    if attempts:
        _offer(relayer, attempts[0])


def _offer(relayer: Relayer, attempt: ChainAttempt) -> None:
    relayer.client.broadcast(str(attempt.raw))
    with relayer.database.transaction() as session:
        intent = relayer.locked(session, attempt.intent_id, SIGNED, SENT)
        kept = session.get_one(ChainAttempt, attempt.id)
        if intent is None or kept.status not in (tries.SIGNED, tries.SENT):
            return
        tries.note_offered(kept)
        intent.status = SENT
        intent.error = intent.error if intent.alarm else None


def follow(relayer: Relayer, intent_id: int) -> None:
    """Look for the receipt of a signed intent; while there is none, see that it gets mined."""
    with relayer.database.reader() as session:
        intent = session.get_one(ChainIntent, intent_id)
        attempts = [a for a in attempts_of(session, intent_id, *OPEN) if a.raw is not None]
    if intent.status not in (SIGNED, SENT) or not attempts:
        return
    # The nonce first: a receipt that appears in between is then found, not missed.
    mined = nonce_of(relayer.client, attempts[0].sender)
    for attempt in attempts:
        receipt = relayer.client.receipt(str(attempt.tx_hash))
        if receipt is not None:
            _weigh(relayer, attempt, receipt)
            return
    if any(attempt.block_number is not None for attempt in attempts):
        _forget_receipts(relayer, intent_id)
    if mined > attempts[0].nonce:
        _look_for_thief(relayer, attempts)
    else:
        _press_on(relayer, intent, attempts, mined)


def _forget_receipts(relayer: Relayer, intent_id: int) -> None:
    """It was in a block once, and is not any more."""
    with relayer.database.transaction() as session:
        if (intent := relayer.locked(session, intent_id, SIGNED, SENT)) is not None:
            intent.block_number = None
            for attempt in attempts_of(session, intent_id, *OPEN):
                tries.forget_receipt(attempt)


def _press_on(
    relayer: Relayer, intent: ChainIntent, attempts: Sequence[ChainAttempt], mined: int
) -> None:
    """Not mined: bid more if it waits too long, and see that the nodes still have it."""
    with relayer.database.reader() as session:
        reserved = bool(attempts_of(session, intent.id, RESERVED))
    if not reserved and replace(relayer, intent, attempts[0], mined):
        sign(relayer, intent.id)
        send(relayer, intent.id)
        return
    sent = next((attempt for attempt in attempts if attempt.status == tries.SENT), None)
    if sent is None:
        return  # No node has taken it yet; `send` goes on trying.
    dropped = not knows(relayer.client, [str(attempt.tx_hash) for attempt in attempts])
    if dropped:
        log.warning("escrow.dropped", intent=intent.id, tx=sent.tx_hash)
    if dropped or _long_ago(relayer, sent):
        _offer(relayer, sent)


def _long_ago(relayer: Relayer, attempt: ChainAttempt) -> bool:
    if attempt.offered_at is None:
        return True
    return (utc_now() - attempt.offered_at).total_seconds() >= relayer.policy.check_seconds


def _weigh(relayer: Relayer, attempt: ChainAttempt, receipt: Receipt) -> None:
    """Note what was mined; once it is deep enough, the intent has ended."""
    head = relayer.client.block_number()
    deep = head - receipt.block_number + 1 >= relayer.policy.confirmations
    refused = deep and not receipt.ok
    outcome = relayer.observed(attempt.intent_id) if refused else None
    with relayer.database.transaction() as session:
        intent = relayer.locked(session, attempt.intent_id, SIGNED, SENT)
        kept = session.get_one(ChainAttempt, attempt.id)
        if intent is None or kept.status not in OPEN:
            return
        for other in attempts_of(session, intent.id, *OPEN):
            tries.forget_receipt(other)  # A reorg may have exchanged which of them was mined.
        tries.note_receipt(kept, receipt)
        intent.block_number, intent.tx_hash = receipt.block_number, kept.tx_hash
        if deep:
            tries.note_ended(session, kept, MINED if receipt.ok else REVERTED)
            _conclude(relayer, session, intent, receipt, outcome, head)
            alarm_over_budget(session, relayer.policy.gas_budget)


def _conclude(
    relayer: Relayer,
    session: Session,
    intent: ChainIntent,
    receipt: Receipt,
    outcome: Outcome | None,
    head: int,
) -> None:
    if receipt.ok:
        relayer.end(session, intent, CONFIRMED)
    elif outcome is not None:
        relayer.apply(session, intent, outcome, head)
    else:
        reason = "The transaction was mined but refused by the contract."
        relayer.fail(session, intent, reason, final=False)


def _look_for_thief(relayer: Relayer, attempts: Sequence[ChainAttempt]) -> None:
    """The nonce seems spent and no receipt is to be seen: an endpoint lags, or lies, or it is so.

    Only when it is final for most endpoints is a second nonce taken, and by itself only for an
    effect that the contract refuses a second time.
    """
    newest = attempts[0]
    hashes = [str(attempt.tx_hash) for attempt in attempts]
    if not went_to_another(relayer.client, newest.sender, newest.nonce, hashes):
        return
    with relayer.database.transaction() as session:
        intent = relayer.locked(session, newest.intent_id, SIGNED, SENT)
        if intent is None or not attempts_of(session, intent.id, *OPEN):
            return
        tries.note_lost(session, newest)
        if intent.kind == FILL:
            relayer.end(session, intent, DONE)
        elif intent.guarded:
            begin_anew(intent, f"{STOLEN}; signing anew.")
        else:
            relayer.fail(session, intent, f"{STOLEN}; the contract would not refuse a second one.")
