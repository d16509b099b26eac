"""From a new intent to signed bytes in the database; nothing leaves this process here."""

import secrets

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.core.clock import utc_now
from portal.core.errors import PortalError
from portal.escrow.chain import attempts as tries
from portal.escrow.chain.agreed import estimate_gas, fee_market, nonce_of
from portal.escrow.chain.attempts import RESERVED
from portal.escrow.chain.client import Reverted
from portal.escrow.chain.fees import Fees, Urgency, first_fees, raised_fees
from portal.escrow.chain.intents import FILL, NEW, SENT, SIGNED, attempts_of, urgency_of
from portal.escrow.chain.relayer import Relayer
from portal.escrow.models import ChainAttempt, ChainIntent

log = structlog.get_logger(__name__)

TOO_EARLY = "TooEarly"
FILL_GAS = 21_000


def begin(relayer: Relayer, intent_id: int) -> None:
    """Give a new intent its nonce, or end it if its effect is there or can't be had."""
    with relayer.database.reader() as session:
        intent = session.get_one(ChainIntent, intent_id)
        reserved = attempts_of(session, intent_id, RESERVED)
    if intent.status != NEW:
        return
    head = relayer.client.block_number()
    try:
        outcome = relayer.observed(intent_id)
    except PortalError:
        _free_reserved(relayer, intent_id)
        raise
    if outcome is not None:
        with relayer.database.transaction() as session:
            if (locked := relayer.locked(session, intent_id, NEW)) is not None:
                _give_up_reserved(session, intent_id)
                relayer.apply(session, locked, outcome, head)
    elif not reserved:
        _reserve(relayer, intent)
    elif reserved[0].sender != relayer.sender.address:
        _free_reserved(relayer, intent_id)


def _reserve(relayer: Relayer, seen: ChainIntent) -> None:
    """Everything that asks a node comes before the lock on the sender's nonces."""
    client, sender = relayer.client, relayer.sender.address
    try:
        gas = estimate_gas(client, sender, seen.to_address, seen.data)
    except Reverted as error:
        if TOO_EARLY not in error.message:
            with relayer.database.transaction() as session:
                if (intent := relayer.locked(session, seen.id, NEW)) is not None:
                    relayer.fail(session, intent, error.message)
        return
    fees = first_fees(fee_market(client), urgency_of(seen), relayer.policy.max_fee)
    mined = nonce_of(client, sender)
    with relayer.database.transaction() as session:
        intent = relayer.locked(session, seen.id, NEW)
        if intent is None or attempts_of(session, intent.id, *tries.OPEN):
            return
        tries.lock_nonces(session, relayer.chain_id, sender)
        nonce = tries.next_nonce(session, relayer.chain_id, sender, mined)
        _note_reserved(relayer, session, intent, nonce, gas, fees)


def _note_reserved(
    relayer: Relayer, session: Session, intent: ChainIntent, nonce: int, gas: int, fees: Fees
) -> None:
    tries.reserve(
        session,
        intent,
        chain_id=relayer.chain_id,
        sender=relayer.sender.address,
        nonce=nonce,
        gas=gas,
        fees=fees,
    )


def _give_up_reserved(session: Session, intent_id: int) -> None:
    """Nothing was signed with it: the nonce is free again, and filled if others passed it."""
    session.execute(
        delete(ChainAttempt).where(
            ChainAttempt.intent_id == intent_id, ChainAttempt.status == RESERVED
        )
    )


def _free_reserved(relayer: Relayer, intent_id: int) -> None:
    """What can't be signed now must not keep those after it waiting."""
    with relayer.database.transaction() as session:
        if relayer.locked(session, intent_id, NEW, SIGNED, SENT) is not None:
            _give_up_reserved(session, intent_id)


def sign(relayer: Relayer, intent_id: int) -> None:
    """Sign the attempt that has its nonce. Whoever signs it, only what is stored first is sent."""
    with relayer.database.reader() as session:
        intent = session.get_one(ChainIntent, intent_id)
        reserved = attempts_of(session, intent_id, RESERVED)
    if not reserved or reserved[0].sender != relayer.sender.address:
        return
    try:
        raw = tries.signed(relayer.sender, tries.transaction_of(intent, reserved[0]))
    except Exception:
        _free_reserved(relayer, intent_id)
        raise
    with relayer.database.transaction() as session:
        locked = relayer.locked(session, intent_id, NEW, SIGNED, SENT)
        attempt = session.get(ChainAttempt, reserved[0].id)
        if locked is None or attempt is None or attempt.status != RESERVED:
            return
        tries.store_signed(attempt, raw)
        locked.tx_hash, locked.error = attempt.tx_hash, None
        locked.status = SIGNED if locked.status == NEW else locked.status


def replace(relayer: Relayer, intent: ChainIntent, newest: ChainAttempt, mined: int) -> bool:
    """Reserve an attempt with raised fees at the nonce of one that waits too long.

    One that only waits for others before it, or that nodes refuse to have, is left alone while
    the market would take it: more money is not what it lacks.
    Returns whether there is something to sign now.
    """
    urgency = urgency_of(intent)
    if newest.sender != relayer.sender.address or not _waited(relayer, newest, urgency):
        return False
    market, old = fee_market(relayer.client), Fees(newest.max_fee, newest.priority_fee)
    refused = newest.status == tries.SIGNED and newest.number == 1
    if (refused or newest.nonce != mined) and market.passes(old):
        return False
    fees = raised_fees(old, market, urgency, relayer.policy.max_fee)
    with relayer.database.transaction() as session:
        locked = relayer.locked(session, intent.id, SIGNED, SENT)
        if locked is None or attempts_of(session, intent.id)[0].id != newest.id:
            return False
        if fees is None:
            _capped(relayer, locked, market.asks(urgency).max_fee)
            return False
        _note_reserved(relayer, session, locked, newest.nonce, newest.gas, fees)
    log.info("escrow.replaced", intent=intent.id, nonce=newest.nonce, max_fee=fees.max_fee)
    return True


def _waited(relayer: Relayer, newest: ChainAttempt, urgency: Urgency) -> bool:
    patience = relayer.policy.replace_seconds / (2 if urgency is Urgency.URGENT else 1)
    since = newest.sent_at or newest.created_at
    return (utc_now() - since).total_seconds() >= patience


def _capped(relayer: Relayer, intent: ChainIntent, asked: int) -> None:
    if intent.alarm:
        return
    intent.alarm = True
    intent.error = (
        f"Stuck: the market asks {asked / 1e9:.3g} gwei per gas, and the cap of "
        f"{relayer.policy.max_fee / 1e9:.3g} gwei (CHAIN_MAX_FEE_GWEI) leaves no room to raise it."
    )
    log.error("escrow.stuck", intent=intent.id, trade=intent.trade_id, reason=intent.error)


def fill_gap(relayer: Relayer) -> bool:
    """Use up a nonce that nobody has, when transactions after it wait; True when there was one.

    It comes about when endpoints overstate what is mined, or a reserved nonce was given up.
    """
    sender, chain_id = relayer.sender.address, relayer.chain_id
    ours = (ChainAttempt.chain_id == chain_id, ChainAttempt.sender == sender)
    with relayer.database.reader() as session:
        waiting = select(ChainAttempt).where(*ours, ChainAttempt.status.in_(tries.OPEN))
        first = session.scalar(waiting.order_by(ChainAttempt.nonce).limit(1))
    if first is None or not _waited(relayer, first, Urgency.URGENT):
        return False
    missing = nonce_of(relayer.client, sender)
    if missing >= first.nonce:
        return False
    fees = first_fees(fee_market(relayer.client), Urgency.URGENT, relayer.policy.max_fee)
    with relayer.database.transaction() as session:
        tries.lock_nonces(session, chain_id, sender)
        if session.scalar(select(ChainAttempt.id).where(*ours, ChainAttempt.nonce == missing)):
            return False
        key = f"{FILL}:{missing}:{secrets.token_hex(8)}"
        intent = ChainIntent(key=key, kind=FILL, to_address=sender, data="0x", status=NEW)
        session.add(intent)
        session.flush()
        _note_reserved(relayer, session, intent, missing, FILL_GAS, fees)
    log.warning("escrow.nonce_filled", nonce=missing, waiting=first.nonce)
    return True
