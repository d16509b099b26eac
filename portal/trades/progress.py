"""How a trade came to where it stands, told from the engine's events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.core.clock import iso
from portal.trades.models import Trade
from portal.trades.rules import FEE_ROSE, State

_PATH = (
    State.MATCHED,
    State.ESCROW_LOCKED,
    State.AWAITING_PAYMENT,
    State.PAID,
    State.VERIFIED,
    State.RELEASED,
    State.COMPLETED,
)
_IN_GENERAL = {
    "hold": "Compliance looks at this trade before it goes on.",
    "deny": "The rules that apply to this trade do not allow it.",
}
_MAY_BE_SKIPPED = (State.VERIFIED,)


@dataclass(frozen=True)
class StepView:
    """A step on the way; `at` is when it was reached."""

    state: str
    at: str | None
    done: bool


@dataclass(frozen=True)
class HistoryView:
    """One change of state: who made it (buyer, seller, staff, system) and why."""

    state: str
    at: str
    actor: str
    reason: str | None


def history(session: Session, trade: Trade) -> list[HistoryView]:
    """Every change of a trade's state, oldest first."""
    events = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.subject == f"trade:{trade.id}", AuditEvent.stream.like("shard:%"))
        .order_by(AuditEvent.seq)
    )
    return [
        HistoryView(
            state=event.kind.removeprefix("trade."),
            at=cast(str, iso(event.at_ms)),
            actor=_actor(trade, event.actor),
            reason=_told(event),
        )
        for event in events
    ]


def last_reason(past: Sequence[HistoryView]) -> str | None:
    """Why the trade stands where it stands, in the words that its parties may read."""
    return next((entry.reason for entry in reversed(past) if entry.reason), None)


def _told(event: AuditEvent) -> str | None:
    """A rule's finding is about one party and for staff; the other must not learn it here."""
    reason: str | None = event.data.get("reason")
    found_by_a_rule = event.actor == "system" and reason != FEE_ROSE
    return _IN_GENERAL.get(str(event.data.get("event")), reason) if found_by_a_rule else reason


def steps(trade: Trade, past: Sequence[HistoryView]) -> list[StepView]:
    """The usual way with what is done of it; a trade that left it shows where it went instead."""
    reached = {entry.state: entry.at for entry in past}
    detours = [name for name in reached if name not in _PATH and name in _STATES]
    if trade.state not in _PATH:
        return [StepView(name, at, True) for name, at in reached.items() if name in _STATES]
    usual = [
        StepView(str(state), reached.get(state), state in reached)
        for state in _PATH
        if state in reached or state not in _MAY_BE_SKIPPED or not _passed(trade)
    ]
    return [StepView(name, reached[name], True) for name in detours if name == "held"] + usual


_STATES = {str(state) for state in State}


def _passed(trade: Trade) -> bool:
    return trade.state in (State.RELEASED, State.COMPLETED)


def _actor(trade: Trade, actor: str) -> str:
    if actor == f"user:{trade.buyer_id}":
        return "buyer"
    if actor == f"user:{trade.seller_id}":
        return "seller"
    return "staff" if actor.startswith(("user:", "staff")) else actor
