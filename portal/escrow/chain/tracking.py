"""From signed bytes to a confirmed effect: sent to every node, looked for, sent again, replaced."""

from collections.abc import Sequence

import structlog
from sqlalchemy.orm import Session

from portal.core.clock import utc_now
from portal.escrow.chain import attempts as tries
from portal.escrow.chain.agreed import knows, went_to_another
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
    relayer.forget_mined()
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
    # The nonce first: a receipt that appears in between is then found, not missed. One question
    # for all that wait: while its nonce is not used, none of them can have a receipt.
    mined = relayer.mined(attempts[0].sender)
    if mined <= attempts[0].nonce:
        _forget_receipts(relayer, attempts)
        _press_on(relayer, intent, attempts, mined)
        return
    for attempt in attempts:
        receipt = relayer.client.receipt(str(attempt.tx_hash))
        if receipt is not None:
            _weigh(relayer, attempt, receipt)
            return
    if not _went_to_thief(relayer, attempts):
        _offer_again(relayer, attempts)


def _forget_receipts(relayer: Relayer, attempts: Sequence[ChainAttempt]) -> None:
    """What was in a block once is not any more."""
    if all(attempt.block_number is None for attempt in attempts):
        return
    with relayer.database.transaction() as session:
        intent = relayer.locked(session, attempts[0].intent_id, SIGNED, SENT)
        if intent is not None:
            intent.block_number = None
            for attempt in attempts_of(session, intent.id, *OPEN):
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
    else:
        _offer_again(relayer, attempts)


def _offer_again(relayer: Relayer, attempts: Sequence[ChainAttempt]) -> None:
    """Nodes forget; the same bytes again do no harm."""
    sent = next((attempt for attempt in attempts if attempt.status == tries.SENT), None)
    if sent is None or not _long_ago(relayer, sent):
        return  # What no node has taken yet, `send` goes on offering.
    if not knows(relayer.client, [str(attempt.tx_hash) for attempt in attempts]):
        log.warning("escrow.dropped", intent=sent.intent_id, tx=sent.tx_hash)
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


def _went_to_thief(relayer: Relayer, attempts: Sequence[ChainAttempt]) -> bool:
    """The nonce seems spent and no receipt is to be seen: an endpoint lags, or lies, or it is so.

    Only when it is final for most endpoints is a second nonce taken, and by itself only for an
    effect that the contract refuses a second time.
    """
    newest = attempts[0]
    hashes = [str(attempt.tx_hash) for attempt in attempts]
    if not went_to_another(relayer.client, newest.sender, newest.nonce, hashes):
        return False
    with relayer.database.transaction() as session:
        intent = relayer.locked(session, newest.intent_id, SIGNED, SENT)
        if intent is None or not attempts_of(session, intent.id, *OPEN):
            return True
        tries.note_lost(session, newest)
        if intent.kind == FILL:
            relayer.end(session, intent, DONE)
        elif intent.guarded:
            begin_anew(intent, f"{STOLEN}; signing anew.")
        else:
            relayer.fail(session, intent, f"{STOLEN}; the contract would not refuse a second one.")
    return True
