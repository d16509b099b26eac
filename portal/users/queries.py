"""What people may know of each other: a nickname, a tier, and how their trades went."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, or_, select, union_all
from sqlalchemy.orm import Session

from portal.core.money import units_text
from portal.trades.models import Trade
from portal.users.models import User

# How a trade may end with the coins paid to the buyer in full.
_GOOD_ENDS = ("completed", "resolved_buyer")


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
    sides = union_all(
        *(
            select(side.label("user_id"), Trade.state).where(
                side.in_(user_ids), or_(Trade.settled.is_(True), Trade.state == "completed")
            )
            for side in (Trade.buyer_id, Trade.seller_id)
        )
    ).subquery()
    good = func.count().filter(sides.c.state.in_(_GOOD_ENDS))
    rows = session.execute(select(sides.c.user_id, good, func.count()).group_by(sides.c.user_id))
    return {user_id: (completed, total) for user_id, completed, total in rows}


def _reputation(person: User, completed: int, total: int) -> Reputation:
    return Reputation(
        nickname=person.nickname or f"trader {person.id}",
        kyc_tier=person.kyc_tier,
        completed_trades=completed,
        completion_rate=units_text(completed * 100 // total, 2) if total else None,
        member_since=person.created_on.date().isoformat(),
    )
