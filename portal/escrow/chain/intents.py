"""Transactions that the portal owes the chain, each sent once and followed to its end.

An intent is a row made in the transaction of the change that calls for it. It is signed once,
with a nonce allotted under a lock of its sender, and the signed bytes are stored before they
leave; whatever is killed in between, the next run sends the same bytes again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from eth_utils.conversions import to_hex
from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import from_ms, now_ms, utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, NotFound, Unavailable
from portal.escrow.chain.client import ChainClient, Receipt, Reverted
from portal.escrow.models import ChainIntent
from portal.escrow.signers.signer import Signer

log = structlog.get_logger(__name__)

NEW, SIGNED, SENT = "new", "signed", "sent"
CONFIRMED, DONE, FAILED = "confirmed", "done", "failed"
UNDER_WAY = (NEW, SIGNED, SENT)
TOO_EARLY = "TooEarly"


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
) -> bool:
    """Add an intent unless one with this key exists; True when it is new.

    `not_before` is a Unix second before which sending it is useless.
    """
    values = {
        "key": key,
        "kind": kind,
        "trade_id": trade_id,
        "to_address": to,
        "data": data,
        "status": NEW,
        "alarm": False,
        "not_before": None if not_before is None else from_ms(not_before * 1000),
        "created_at": utc_now(),
        "updated_at": utc_now(),
    }
    statement = insert(ChainIntent).values(values).on_conflict_do_nothing(index_elements=["key"])
    return session.scalar(statement.returning(ChainIntent.id)) is not None


def retry_intent(session: Session, intent_id: int, actor: str) -> ChainIntent:
    """Let a failed intent be tried again, after a person removed the cause.

    Raises NotFound, or Conflict when it has not failed.
    """
    intent = session.get(ChainIntent, intent_id, with_for_update=True)
    if intent is None:
        raise NotFound(f"There is no transaction {intent_id}.", field="intent", value=intent_id)
    if intent.status != FAILED:
        raise Conflict(f"Transaction {intent_id} has not failed.", field="intent", value=intent_id)
    _forget_signature(intent, None)
    intent.alarm, intent.reported_at = False, None
    record(session, actor, "escrow.retried", _subject(intent), {"kind": intent.kind})
    return intent


class IntentRunner:
    """Moves intents forward, one step at a time, each step in its own transaction.

    Args:
        observe: asks the chain whether an intent's effect is there already.
        ended: is told when an intent is confirmed, done or failed.
    """

    def __init__(
        self,
        database: Database,
        client: ChainClient,
        sender: Signer,
        confirmations: int,
        observe: Observer,
        ended: Listener,
    ) -> None:
        self._database = database
        self._client = client
        self._sender = sender
        self._confirmations = max(1, confirmations)
        self._observe = observe
        self._ended = ended

    def run(self) -> int:
        """Advance every intent that is due; returns how many were.

        Raises Unavailable when the chain does not answer; everything stored stays as it was. A
        node that only refuses one transaction, or answers one with nonsense, does not keep the
        others waiting.
        """
        waiting = self._due()
        for intent_id in waiting:
            try:
                self._advance(intent_id)
            except Unavailable as error:
                self._client.block_number()
                self._note(intent_id, error.message)
            except Exception as error:
                log.exception("escrow.defect", intent=intent_id)
                self._note(intent_id, f"{type(error).__name__}: {error}".replace("\0", ""))
        return len(waiting)

    def _advance(self, intent_id: int) -> None:
        for step in (self.sign, self.send, self.follow):
            step(intent_id)

    def _note(self, intent_id: int, reason: str) -> None:
        log.warning("escrow.waiting", intent=intent_id, reason=reason)
        with self._database.transaction() as session:
            session.get_one(ChainIntent, intent_id).error = reason[:500]

    def sign(self, intent_id: int) -> None:
        """Give a new intent its nonce and signed bytes, or end it if its effect is there."""
        with self._database.transaction() as session:
            intent = self._locked(session, intent_id, NEW)
            if intent is None or self._seen_done(session, intent):
                return
            self._lock_sender(session)
            try:
                transaction = self._client.prepare(
                    self._sender.address, intent.to_address, intent.data
                )
            except Reverted as error:
                if TOO_EARLY not in error.message:
                    self._fail(session, intent, error.message)
                return
            nonce = self._next_nonce(session)
            signed = self._sender.sign_transaction({**transaction, "nonce": nonce})
            intent.sender, intent.nonce = self._sender.address, nonce
            intent.raw, intent.tx_hash = to_hex(signed.raw_transaction), to_hex(signed.hash)
            intent.status, intent.error = SIGNED, None

    def send(self, intent_id: int) -> None:
        """Hand the stored bytes to the chain. The same bytes can't take effect twice.

        Raises Unavailable when no node takes them.
        """
        with self._database.transaction() as session:
            intent = self._locked(session, intent_id, SIGNED)
            if intent is None or intent.raw is None:
                return
            self._client.broadcast(intent.raw)
            intent.status, intent.error = SENT, None

    def follow(self, intent_id: int) -> None:
        """Look for the receipt of a sent intent; send it again while the chain has not got it."""
        with self._database.transaction() as session:
            intent = self._locked(session, intent_id, SENT)
            if intent is None or intent.tx_hash is None or intent.raw is None:
                return
            # The nonce first: a receipt that appears in between is then found, not missed.
            mined = self._client.nonce(self._sender.address)
            receipt = self._client.receipt(intent.tx_hash)
            if receipt is not None:
                self._weigh(session, intent, receipt)
            elif intent.nonce is not None and mined > intent.nonce:
                _forget_signature(intent, "Its nonce went to another transaction; signing anew.")
            else:
                self._client.broadcast(intent.raw)

    def _due(self) -> list[int]:
        now = from_ms(now_ms())
        with self._database.reader() as session:
            early = select(ChainIntent.id).where(ChainIntent.status == NEW)
            if session.scalar(early.where(ChainIntent.not_before > now).limit(1)) is not None:
                now = max(now, from_ms(self._client.timestamp() * 1000))
            return list(session.scalars(_due_ids(now)))

    def _locked(self, session: Session, intent_id: int, status: str) -> ChainIntent | None:
        found = select(ChainIntent).where(ChainIntent.id == intent_id)
        intent = session.scalar(found.with_for_update(skip_locked=True))
        return intent if intent is not None and intent.status == status else None

    def _lock_sender(self, session: Session) -> None:
        statement = text("SELECT pg_advisory_xact_lock(hashtextextended(:sender, 0))")
        session.execute(statement, {"sender": f"chain:{self._sender.address}"})

    def _next_nonce(self, session: Session) -> int:
        taken = session.scalar(
            select(func.max(ChainIntent.nonce)).where(
                ChainIntent.sender == self._sender.address,
                ChainIntent.status.in_((SIGNED, SENT)),
            )
        )
        mined = self._client.nonce(self._sender.address)
        return mined if taken is None else max(mined, taken + 1)

    def _seen_done(self, session: Session, intent: ChainIntent) -> bool:
        outcome = self._observe(session, intent)
        if outcome is None:
            return False
        if outcome.conflict is not None:
            self._fail(session, intent, outcome.conflict)
        else:
            intent.status, intent.tx_hash = DONE, outcome.reference or intent.tx_hash
            self._end(session, intent)
        return True

    def _weigh(self, session: Session, intent: ChainIntent, receipt: Receipt) -> None:
        intent.block_number, intent.gas_used = receipt.block_number, receipt.gas_used
        if self._client.block_number() - receipt.block_number + 1 < self._confirmations:
            return
        if receipt.ok:
            intent.status = CONFIRMED
            self._end(session, intent)
        elif not self._seen_done(session, intent):
            self._fail(session, intent, "The transaction was mined but refused by the contract.")

    def _fail(self, session: Session, intent: ChainIntent, reason: str) -> None:
        intent.status, intent.error, intent.alarm = FAILED, reason[:500], True
        log.error("escrow.failed", intent=intent.id, trade=intent.trade_id, reason=reason)
        self._end(session, intent)

    def _end(self, session: Session, intent: ChainIntent) -> None:
        self._ended(session, intent)
        data = {"kind": intent.kind, "tx": intent.tx_hash, "reason": intent.error}
        record(session, "system", f"escrow.{intent.status}", _subject(intent), data)


def _due_ids(now: datetime) -> Select[int]:
    due = or_(ChainIntent.not_before.is_(None), ChainIntent.not_before <= now)
    statement = select(ChainIntent.id).where(ChainIntent.status.in_(UNDER_WAY), due)
    return statement.order_by(ChainIntent.id)


def _forget_signature(intent: ChainIntent, reason: str | None) -> None:
    intent.status, intent.error = NEW, reason
    intent.sender = intent.nonce = intent.raw = intent.tx_hash = None
    intent.block_number = intent.gas_used = None


def _subject(intent: ChainIntent) -> str:
    return f"trade:{intent.trade_id}" if intent.trade_id else f"intent:{intent.id}"
