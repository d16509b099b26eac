"""What parties do with a trade: their signatures are verified and kept, then the engine is told."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput
from portal.core.jobs import Engine
from portal.core.sealed import Sealer
from portal.engine.keys import is_used
from portal.escrow.signatures import claim_missing, signing_requests, store_signatures
from portal.trades.models import Trade
from portal.trades.queries import own_trade, role_of
from portal.trades.rules import Actor, Event, State, next_state
from portal.trades.tickets import add_statement, open_ticket, resolve_dispute
from portal.users import login
from portal.users.models import User
from portal.users.totp import spend_code

__all__ = ["DISPUTE_REASONS", "TradeDesk", "resolve_dispute"]

Signatures = dict[str, str]
DISPUTE_REASONS = {
    "not_received": "The money did not arrive.",
    "paid_not_released": "The money was sent, but the coins are not released.",
    "wrong_amount": "Another amount arrived than was agreed.",
    "other": "Something else.",
}


@dataclass(frozen=True)
class TradeDesk:
    """Where the two parties act. Every act raises NotFound for other people's trades,
    Conflict or Forbidden when the trade's state does not allow it, InvalidInput naming a wrong
    signature; then nothing changed. `key` makes an act idempotent.
    """

    database: Database
    engine: Engine
    sealer: Sealer

    def signing(self, user_id: int, trade_id: int, act: str) -> list[dict[str, Any]]:
        """What the wallet must sign for an act."""
        with self.database.reader() as session:
            trade = own_trade(session, user_id, trade_id)
            return signing_requests(session, trade, role_of(trade, user_id), act)

    def mark_paid(self, user_id: int, trade_id: int, signatures: Signatures, key: str) -> None:
        """The buyer says that the money is sent, and signs the release in advance."""
        with self.database.transaction() as session:
            trade = self._check(session, user_id, trade_id, Event.MARK_PAID, key)
            store_signatures(session, trade, role_of(trade, user_id), "paid", signatures)
        self._submit("mark_paid", user_id, trade_id, key)

    def release(
        self, user_id: int, trade_id: int, signatures: Signatures, code: str, key: str
    ) -> None:
        """The seller lets the coins go; needs a fresh code of their authenticator.

        Raises LockedOut after too many wrong codes.
        """
        with self.database.reader() as session:
            self._check(session, user_id, trade_id, Event.RELEASE, key)
        attempt = login.admit(self.database, self.sealer, f"release|{user_id}")
        with self.database.transaction() as session:
            trade = self._check(session, user_id, trade_id, Event.RELEASE, key)
            user = session.get_one(User, user_id)
            if not spend_code(session, self.sealer, user, code):
                raise InvalidInput(
                    "The code is wrong, or was used before.",
                    field="totp",
                    hint="Wait for the next code of your authenticator app.",
                )
            login.forgive(session, attempt)
            store_signatures(session, trade, role_of(trade, user_id), "release", signatures)
        self._submit("release", user_id, trade_id, key)

    def cancel(
        self, user_id: int, trade_id: int, signatures: Signatures, reason: str | None, key: str
    ) -> None:
        """A party gives the trade up: the buyer at any time, both before anything is locked."""
        with self.database.transaction() as session:
            trade = self._check(session, user_id, trade_id, Event.CANCEL, key)
            if trade.locked:
                store_signatures(session, trade, role_of(trade, user_id), "cancel", signatures)
            elif signatures:
                raise InvalidInput("Nothing is to be signed yet.", field="signatures")
        self._submit("cancel_trade", user_id, trade_id, key, reason=reason or None)

    def dispute(self, user_id: int, trade_id: int, reason: str, statement: str, key: str) -> None:
        """A party asks staff to decide; every clock stops."""
        with self.database.reader() as session:
            self._check(session, user_id, trade_id, Event.DISPUTE, key)
        told = DISPUTE_REASONS[reason]
        self._submit("dispute", user_id, trade_id, key, reason=told)
        with self.database.transaction() as session:
            open_ticket(session, trade_id, user_id, reason, statement)

    def state(self, user_id: int, trade_id: int, text: str) -> None:
        """Add a statement to an open dispute."""
        with self.database.transaction() as session:
            trade = own_trade(session, user_id, trade_id)
            add_statement(session, trade, user_id, text)

    def claim(self, user_id: int, trade_id: int, signatures: Signatures) -> None:
        """The favoured party signs a decision; the escrow sees the signature and executes it."""
        with self.database.transaction() as session:
            trade = own_trade(session, user_id, trade_id)
            role = role_of(trade, user_id)
            if not claim_missing(session, trade, role):
                raise Conflict("There is nothing for you to claim.", field="trade_id")
            store_signatures(session, trade, role, "claim", signatures)

    def _check(
        self, session: Session, user_id: int, trade_id: int, event: Event, key: str
    ) -> Trade:
        """The trade, if this person may take this step now or took it before with this key."""
        trade = own_trade(session, user_id, trade_id)
        if not is_used(session, key):
            next_state(State(trade.state), event, Actor(role_of(trade, user_id)))
        return trade

    def _submit(self, kind: str, user_id: int, trade_id: int, key: str, **more: Any) -> None:
        command = {"kind": kind, "trade_id": trade_id, "actor": user_id, "key": key, **more}
        self.engine.submit(command)
