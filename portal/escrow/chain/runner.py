"""Moves intents forward, one step at a time.

Nodes and signers are asked outside of transactions; what they answered is written in a short
one that looks first whether the row still is where it was. Whatever is killed in between, the
next run goes on from what is stored, and two processes at once do no harm.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Select, func, or_, select, update

from portal.core.clock import from_ms, now_ms, utc_now
from portal.core.errors import Unavailable
from portal.escrow.chain import signing, tracking
from portal.escrow.chain.intents import NEW, UNDER_WAY
from portal.escrow.chain.rechecks import look_again
from portal.escrow.chain.relayer import Relayer
from portal.escrow.models import ChainIntent

log = structlog.get_logger(__name__)


class IntentRunner:
    """Every intent's way from new to final."""

    def __init__(self, relayer: Relayer) -> None:
        self._relayer = relayer
        self._database, self._client = relayer.database, relayer.client

    def run(self) -> int:
        """Advance every intent that is due; returns how many were.

        Raises Unavailable when the chain does not answer; everything stored stays as it was. A
        node that only refuses one transaction, or answers one with nonsense, does not keep the
        others waiting.
        """
        self._relayer.forget_mined()
        for care in (look_again, signing.fill_gap):
            self._guarded(care)
        waiting = self._due()
        for intent_id in waiting:
            try:
                self.advance(intent_id)
            except Unavailable as error:
                self._client.block_number()
                self._note(intent_id, error.message)
            except Exception as error:
                log.exception("escrow.defect", intent=intent_id)
                self._note(intent_id, f"{type(error).__name__}: {error}".replace("\0", ""))
        self._alarm_overdue()
        return len(waiting)

    def _guarded(self, care: Callable[[Relayer], object]) -> None:
        """What goes wrong with what has ended must not keep what is under way waiting."""
        try:
            care(self._relayer)
        except Unavailable as error:
            self._client.block_number()
            log.warning("escrow.waiting", reason=error.message)
        except Exception:
            log.exception("escrow.defect")

    def advance(self, intent_id: int) -> None:
        """All steps that can be done now."""
        self.sign(intent_id)
        try:
            self.send(intent_id)
        finally:
            # Nodes that refuse a replacement may do so since the one before it was mined.
            self.follow(intent_id)

    def sign(self, intent_id: int) -> None:
        """Give a new intent its nonce and signed bytes, or end it if its effect is there."""
        signing.begin(self._relayer, intent_id)
        signing.sign(self._relayer, intent_id)

    def send(self, intent_id: int) -> None:
        """Hand the stored bytes to the chain. Raises Unavailable when no node takes them."""
        tracking.send(self._relayer, intent_id)

    def follow(self, intent_id: int) -> None:
        """Look for its receipt; replace it or send it again while the chain has not got it."""
        tracking.follow(self._relayer, intent_id)

    def _note(self, intent_id: int, reason: str) -> None:
        log.warning("escrow.waiting", intent=intent_id, reason=reason)
        with self._database.transaction() as session:
            intent = session.get_one(ChainIntent, intent_id)
            # What raised an alarm tells a person more than what a node says of it.
            intent.error = intent.error if intent.alarm and intent.error else reason[:500]

    def _due(self) -> list[int]:
        now = from_ms(now_ms())
        with self._database.reader() as session:
            early = select(ChainIntent.id).where(ChainIntent.status == NEW)
            if session.scalar(early.where(ChainIntent.not_before > now).limit(1)) is not None:
                now = max(now, from_ms(self._client.timestamp() * 1000))
            return list(session.scalars(_due_ids(now)))

    def _alarm_overdue(self) -> None:
        """What is under way for long needs a person, whatever keeps it."""
        before = utc_now() - timedelta(seconds=self._relayer.policy.stuck_seconds)
        since = func.greatest(ChainIntent.created_at, ChainIntent.not_before)
        overdue = (ChainIntent.status.in_(UNDER_WAY), ~ChainIntent.alarm, since < before)
        with self._database.transaction() as session:
            alarmed = session.scalars(
                update(ChainIntent).where(*overdue).values(alarm=True).returning(ChainIntent.id)
            ).all()
        for intent_id in alarmed:
            log.error("escrow.overdue", intent=intent_id)


def _due_ids(now: datetime) -> Select[int]:
    due = or_(ChainIntent.not_before.is_(None), ChainIntent.not_before <= now)
    statement = select(ChainIntent.id).where(ChainIntent.status.in_(UNDER_WAY), due)
    return statement.order_by(ChainIntent.id)
