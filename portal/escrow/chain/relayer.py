"""Who sends transactions, by which rules, and how an intent ends."""

from dataclasses import dataclass, field
from typing import Self

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.settings import Settings
from portal.escrow.chain.agreed import nonce_of
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.fees import GWEI
from portal.escrow.chain.intents import DONE, FAILED, Listener, Observer, Outcome, subject_of
from portal.escrow.models import ChainIntent
from portal.escrow.signers.signer import Signer

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Policy:
    """The operator's rules. `max_fee` is in wei per gas, `gas_budget` in wei a UTC day (0: none).

    `check_seconds` is how often a mined transaction is looked at until it is final, and a waiting
    one handed to the nodes again.
    """

    confirmations: int
    max_fee: int
    replace_seconds: float
    stuck_seconds: float
    check_seconds: float
    gas_budget: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        return cls(
            confirmations=settings.chain_confirmations,
            max_fee=settings.chain_max_fee_gwei * GWEI,
            replace_seconds=settings.chain_replace_seconds,
            stuck_seconds=settings.chain_stuck_seconds,
            check_seconds=settings.chain_check_seconds,
            gas_budget=settings.chain_gas_budget_gwei * GWEI,
        )


@dataclass(frozen=True)
class Relayer:
    """What every step of an intent needs.

    `observe` asks the chain whether an intent's effect is there already; `ended` is told when an
    intent is confirmed, done or failed.
    """

    database: Database
    client: ChainClient
    sender: Signer
    chain_id: int
    policy: Policy
    observe: Observer
    ended: Listener
    _mined: dict[str, int] = field(default_factory=dict, init=False)

    def mined(self, sender: str) -> int:
        """How many transactions of `sender` are mined; asked again after `forget_mined`."""
        if sender not in self._mined:
            self._mined[sender] = nonce_of(self.client, sender)
        return self._mined[sender]

    def forget_mined(self) -> None:
        """There may be new blocks."""
        self._mined.clear()

    def locked(self, session: Session, intent_id: int, *statuses: str) -> ChainIntent | None:
        """The intent's row for writing, if it has one of these statuses and nobody else has it."""
        found = select(ChainIntent).where(ChainIntent.id == intent_id)
        intent = session.scalar(found.with_for_update(skip_locked=True))
        return intent if intent is not None and intent.status in statuses else None

    def observed(self, intent_id: int) -> Outcome | None:
        """What the chain shows of the intent's effect. Holds no lock while it asks."""
        with self.database.reader() as session:
            return self.observe(session, session.get_one(ChainIntent, intent_id))

    def apply(self, session: Session, intent: ChainIntent, outcome: Outcome, head: int) -> None:
        """End an intent by what the chain showed at block `head` without a transaction of ours."""
        if outcome.conflict is not None:
            self.fail(session, intent, outcome.conflict)
            return
        intent.tx_hash = outcome.reference or intent.tx_hash
        intent.block_number = head
        self.end(session, intent, DONE)

    def fail(
        self, session: Session, intent: ChainIntent, reason: str, *, final: bool = True
    ) -> None:
        """End an intent that a person has to look at. Not `final`: a reorg may change it."""
        intent.error, intent.final_at = reason[:500], utc_now() if final else None
        # Heard again if it follows on a success that a reorg took back.
        intent.reported_at = None
        log.error("escrow.failed", intent=intent.id, trade=intent.trade_id, reason=reason)
        self.end(session, intent, FAILED)

    def end(self, session: Session, intent: ChainIntent, status: str) -> None:
        """Note how it ended, and tell who waits for it."""
        intent.status, intent.alarm, intent.checked_at = status, status == FAILED, utc_now()
        intent.error = intent.error if status == FAILED else None
        self.ended(session, intent)
        data = {"kind": intent.kind, "tx": intent.tx_hash, "reason": intent.error}
        record(session, "system", f"escrow.{status}", subject_of(intent), data)
