"""Disputes' tickets: opened by a party or by a clock, argued by both, decided by staff."""

from typing import Any, Protocol

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from portal.core.jobs import Engine, JobContext
from portal.engine.telling import tell
from portal.trades.models import Dispute, DisputeStatement, Trade
from portal.trades.rules import State

OPEN, RESOLVED, SETTLED = "open", "resolved", "settled"
MOST_STATEMENTS = 50
_OUTCOMES = {
    State.RESOLVED_BUYER: "buyer",
    State.RESOLVED_SELLER: "seller",
    State.RESOLVED_SPLIT: "split",
}


class Desk(Protocol):
    """What deciding a dispute needs of the portal's services."""

    @property
    def database(self) -> Database: ...

    @property
    def engine(self) -> Engine: ...


def open_ticket(
    session: Session, trade_id: int, user_id: int | None, reason: str, statement: str
) -> None:
    """The ticket of a trade that has just become disputed; None = a clock opened it."""
    values = {"opened_by": user_id, "reason": reason, "statement": statement}
    session.execute(
        insert(Dispute)
        .values(trade_id=trade_id, status=OPEN, opened_at=utc_now(), **values)
        # The sweep below may have been faster: the party's own words count more than its.
        .on_conflict_do_update(
            index_elements=["trade_id"], set_=values, where=Dispute.statement == ""
        )
    )
    if user_id is not None and statement:
        session.add(DisputeStatement(trade_id=trade_id, user_id=user_id, text=statement))
    actor = "system" if user_id is None else f"user:{user_id}"
    record(session, actor, "dispute.opened", f"trade:{trade_id}", {"reason": reason})
    # The engine told of the dispute before there was a ticket to show.
    _tell_parties(session, session.get_one(Trade, trade_id))


def add_statement(session: Session, trade: Trade, user_id: int, text: str) -> None:
    """A party's words. Raises Conflict when the trade is not disputed, or enough was said."""
    if trade.state != State.DISPUTED:
        raise Conflict("This trade is not disputed.", field="trade_id", value=trade.id)
    said = session.scalar(
        select(func.count()).where(
            DisputeStatement.trade_id == trade.id, DisputeStatement.user_id == user_id
        )
    )
    if (said or 0) >= MOST_STATEMENTS:
        raise Conflict(f"You have made {MOST_STATEMENTS} statements, which is the limit.")
    session.add(DisputeStatement(trade_id=trade.id, user_id=user_id, text=text))
    record(session, f"user:{user_id}", "dispute.statement", f"trade:{trade.id}", {})
    _tell_parties(session, trade)


def _tell_parties(session: Session, trade: Trade) -> None:
    tell(session, [(user, "trade", trade.id) for user in (trade.buyer_id, trade.seller_id)])


def resolve_dispute(
    desk: Desk,
    staff_id: int,
    trade_id: int,
    *,
    outcome: str,
    to_buyer: int | None,
    decision: str,
) -> None:
    """Staff decides: for the `buyer`, for the `seller`, or a `split` with `to_buyer` base units
    of the escrow, gross, for the buyer.

    Raises NotFound, Forbidden for a party of the trade, Conflict when it is decided already,
    InvalidInput without a written reason or with an impossible share.
    """
    if not decision.strip():
        raise InvalidInput("Write down why: both parties read it.", field="decision")
    with desk.database.reader() as session:
        trade = _undecided(session, staff_id, trade_id)
    _check_share(trade, outcome, to_buyer)
    desk.engine.submit(
        {
            "kind": "resolve",
            "key": f"resolve:{trade_id}",
            "trade_id": trade_id,
            "outcome": outcome,
            "to_buyer": to_buyer if outcome == "split" else None,
            "actor": staff_id,
            "reason": decision.strip()[:500],
        }
    )
    with desk.database.transaction() as session:
        _decide(session, staff_id, trade_id, outcome, decision.strip())


def run_tickets(context: JobContext) -> int:
    """The scheduled job: tickets for disputes that a clock opened, and an end for those whose
    trade went on without a decision. Returns how many were touched."""
    with context.database.transaction() as session:
        fresh = session.scalars(
            select(Trade.id)
            .outerjoin(Dispute, Dispute.trade_id == Trade.id)
            .where(~Trade.closed, Trade.state == State.DISPUTED, Dispute.trade_id.is_(None))
        ).all()
        for trade_id in fresh:
            open_ticket(session, trade_id, None, "not_released_in_time", "")
        left = session.execute(
            select(Dispute, Trade)
            .join(Trade, Trade.id == Dispute.trade_id)
            .where(Dispute.status == OPEN, Trade.state != State.DISPUTED)
            .with_for_update(of=Dispute, skip_locked=True)
        ).all()
        for ticket, trade in left:
            _end(session, ticket, trade)
    return len(fresh) + len(left)


def _undecided(session: Session, staff_id: int, trade_id: int) -> Trade:
    trade = session.get(Trade, trade_id)
    if trade is None:
        raise NotFound("There is no such trade.", field="trade_id", value=trade_id)
    if staff_id in (trade.buyer_id, trade.seller_id):
        raise Forbidden("Nobody decides their own trade.", field="trade_id", value=trade_id)
    if trade.state != State.DISPUTED:
        raise Conflict(
            f"This trade is {trade.state.replace('_', ' ')}: there is nothing to decide.",
            field="trade_id",
            value=trade_id,
        )
    return trade


def _check_share(trade: Trade, outcome: str, to_buyer: int | None) -> None:
    if outcome not in _OUTCOMES.values():
        raise InvalidInput(
            "outcome must be buyer, seller or split.", field="outcome", value=outcome
        )
    if outcome == "split" and (to_buyer is None or not 0 < to_buyer < trade.escrow_units):
        raise InvalidInput(
            "The buyer's part of a split must be more than nothing and less than all.",
            field="to_buyer",
            value=to_buyer,
        )


def _decide(session: Session, staff_id: int, trade_id: int, outcome: str, decision: str) -> None:
    trade = session.get_one(Trade, trade_id)
    ticket = session.get(Dispute, trade_id, with_for_update=True)
    if ticket is None:
        ticket = Dispute(trade_id=trade_id, reason="not_released_in_time")
        session.add(ticket)
    ticket.status, ticket.outcome, ticket.to_buyer = RESOLVED, outcome, trade.to_buyer
    ticket.decision, ticket.decided_by, ticket.decided_at = decision, staff_id, utc_now()
    change: dict[str, Any] = {"outcome": outcome, "to_buyer": trade.to_buyer}
    record(session, f"user:{staff_id}", "dispute.resolved", f"trade:{trade_id}", change)
    _tell_parties(session, trade)


def _end(session: Session, ticket: Dispute, trade: Trade) -> None:
    outcome = _OUTCOMES.get(State(trade.state))
    ticket.status = RESOLVED if outcome else SETTLED
    ticket.outcome, ticket.to_buyer, ticket.decided_at = outcome, trade.to_buyer, utc_now()
    ticket.decision = ticket.decision or trade.reason or "The parties ended it themselves."
    change = {"status": ticket.status, "state": trade.state}
    record(session, "system", "dispute.closed", f"trade:{ticket.trade_id}", change)
