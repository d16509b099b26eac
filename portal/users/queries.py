"""What people may know of each other: a nickname, a tier, and how their trades went."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.board.queries import records
from portal.core.money import units_text
from portal.users.models import User


@dataclass(frozen=True)
class Reputation:
    """A trader as others see them.

    `completion_rate` is the part of their ended escrows that paid the buyer, from "0.00" to
    "1.00"; None before the first. `member_since` is a date.
    """

    nickname: str
    kyc_tier: int
    completed_trades: int
    completion_rate: str | None
    member_since: str


def reputations(session: Session, user_ids: Iterable[int]) -> dict[int, Reputation]:
    """The reputations of several people at once."""
    wanted = set(user_ids)
    ended = ended_trades(session, wanted)
    people = session.scalars(select(User).where(User.id.in_(wanted)))
    return {person.id: _reputation(person, *ended.get(person.id, (0, 0))) for person in people}


def completed_trades(session: Session, user_id: int) -> int:
    """How many of a person's trades ended with the coins paid out to the buyer."""
    return ended_trades(session, {user_id}).get(user_id, (0, 0))[0]


def ended_trades(session: Session, user_ids: set[int]) -> dict[int, tuple[int, int]]:
    """Completed trades and all ended escrows, by person; people without any are left out."""
    found = records(session, user_ids)
    return {user_id: (record.completed, record.ended) for user_id, record in found.items()}


def _reputation(person: User, completed: int, total: int) -> Reputation:
    return Reputation(
        nickname=person.nickname or f"trader {person.id}",
        kyc_tier=person.kyc_tier,
        completed_trades=completed,
        completion_rate=units_text(completed * 100 // total, 2) if total else None,
        member_since=person.created_on.date().isoformat(),
    )
