"""The signed transactions of an intent: their nonces, their bytes, what became of them.

A nonce is reserved in a short transaction under a lock of its sender. No node and no signer is
asked while the lock is held. A reserved nonce is never given to anything else.
"""

from collections.abc import Sequence
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.conversions import to_hex
from eth_utils.crypto import keccak
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from portal.core.clock import utc_now
from portal.escrow.chain.client import Receipt
from portal.escrow.chain.fees import Fees
from portal.escrow.models import ChainAttempt, ChainIntent
from portal.escrow.signers.signer import Signer

RESERVED, SIGNED, SENT = "reserved", "signed", "sent"
MINED, REVERTED, REPLACED, LOST = "mined", "reverted", "replaced", "lost"
OPEN = (RESERVED, SIGNED, SENT)


def lock_nonces(session: Session, chain_id: int, sender: str) -> None:
    """Have other processes wait with this sender's nonces until the transaction ends."""
    statement = text("SELECT pg_advisory_xact_lock(hashtextextended(:sender, 0))")
    session.execute(statement, {"sender": f"chain:{chain_id}:{sender}"})


def next_nonce(session: Session, chain_id: int, sender: str, mined: int) -> int:
    """The nonce after all that were reserved, or `mined` if strangers used the key beyond them.

    Call it under `lock_nonces`. What is reserved counts whatever became of it: an endpoint that
    lags then can't make us reuse a nonce.
    """
    reserved = session.scalar(
        select(func.max(ChainAttempt.nonce)).where(
            ChainAttempt.chain_id == chain_id, ChainAttempt.sender == sender
        )
    )
    return mined if reserved is None else max(mined, reserved + 1)


def reserve(
    session: Session,
    intent: ChainIntent,
    *,
    chain_id: int,
    sender: str,
    nonce: int,
    gas: int,
    fees: Fees,
) -> ChainAttempt:
    """A new attempt at this nonce. The database refuses a nonce that another intent has."""
    before = session.scalar(
        select(func.max(ChainAttempt.number)).where(
            ChainAttempt.chain_id == chain_id,
            ChainAttempt.sender == sender,
            ChainAttempt.nonce == nonce,
            ChainAttempt.intent_id == intent.id,
        )
    )
    attempt = ChainAttempt(
        intent_id=intent.id,
        chain_id=chain_id,
        sender=sender,
        nonce=nonce,
        number=(before or 0) + 1,
        gas=gas,
        max_fee=fees.max_fee,
        priority_fee=fees.priority_fee,
        status=RESERVED,
    )
    session.add(attempt)
    session.flush()
    return attempt


def transaction_of(intent: ChainIntent, attempt: ChainAttempt) -> dict[str, Any]:
    """What is signed: everything in it is stored, so that signing twice gives the same."""
    return {
        "chainId": attempt.chain_id,
        "type": 2,
        "nonce": attempt.nonce,
        "to": to_checksum_address(intent.to_address),
        "data": intent.data,
        "value": 0,
        "gas": attempt.gas,
        "maxFeePerGas": attempt.max_fee,
        "maxPriorityFeePerGas": attempt.priority_fee,
    }


def signed(sender: Signer, transaction: dict[str, Any]) -> bytes:
    """The bytes that go to the nodes. The one place where a transaction of ours is signed."""
    return sender.sign_transaction(transaction).raw_transaction


def store_signed(attempt: ChainAttempt, raw: bytes) -> None:
    """Keep the bytes; from now on only they are sent."""
    attempt.raw, attempt.tx_hash = to_hex(raw), to_hex(keccak(raw))
    attempt.status = SIGNED


def note_offered(attempt: ChainAttempt) -> None:
    """Some node has it."""
    attempt.offered_at = utc_now()
    attempt.sent_at = attempt.sent_at or attempt.offered_at
    attempt.status = SENT


def note_receipt(attempt: ChainAttempt, receipt: Receipt) -> None:
    """It is in a block, which a reorg may still take back."""
    attempt.block_number, attempt.block_hash = receipt.block_number, receipt.block_hash
    attempt.gas_used, attempt.gas_price = receipt.gas_used, receipt.gas_price
    attempt.mined_at = utc_now()


def forget_receipt(attempt: ChainAttempt) -> None:
    """It is in no block, and has cost nothing. Nodes may have forgotten it: it is offered anew."""
    attempt.offered_at = attempt.mined_at = attempt.block_number = attempt.block_hash = None
    attempt.gas_used = attempt.gas_price = None


def note_ended(session: Session, attempt: ChainAttempt, status: str) -> None:
    """It used its nonce, mined or reverted; the others at that nonce never will."""
    _mark(session, attempt, OPEN, REPLACED)
    attempt.status = status


def note_lost(session: Session, attempt: ChainAttempt) -> None:
    """A stranger's transaction used its nonce: neither it nor the others there will be mined."""
    _mark(session, attempt, OPEN, LOST)


def take_back(session: Session, attempt: ChainAttempt) -> None:
    """A reorg threw it out of its block: each attempt at its nonce may be mined again."""
    _mark(session, attempt, (REPLACED,), SENT)
    attempt.status = SENT
    forget_receipt(attempt)


def _mark(session: Session, like: ChainAttempt, old: Sequence[str], new: str) -> None:
    """Give the attempts at the same nonce that have a status of `old` the new one."""
    same = (
        ChainAttempt.chain_id == like.chain_id,
        ChainAttempt.sender == like.sender,
        ChainAttempt.nonce == like.nonce,
        ChainAttempt.status.in_(old),
    )
    statement = update(ChainAttempt).where(*same)
    if new == SENT:
        statement = statement.where(ChainAttempt.raw.is_not(None))
    session.execute(statement.values(status=new))
