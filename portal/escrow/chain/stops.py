"""Payouts that are stopped, for a cause, until it is gone or a person lifts the stop.

A stop holds back what a trade of the person (or of anybody, in the asset) would lock or pay out;
it moves no coins and ends no trade.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.errors import Conflict, NotFound
from portal.escrow.chain.blocks import PayoutStop

log = structlog.get_logger(__name__)


def stop_payouts(
    session: Session, *, cause: str, owner_id: int | None, asset: str, reason: str
) -> None:
    """Stop payouts of an asset to a person, or to everybody.

    A stop that is on stays as it is; one that was lifted comes back, since its cause is there.
    """
    values = {"cause": cause, "owner_id": owner_id, "asset": asset, "reason": reason}
    fresh = {"since": utc_now(), "lifted_at": None, "lifted_by": None}
    statement = insert(PayoutStop).values({**values, **fresh})
    statement = statement.on_conflict_do_update(
        index_elements=["cause"],
        set_={**fresh, "reason": reason},
        where=PayoutStop.lifted_at.is_not(None),
    )
    if session.scalar(statement.returning(PayoutStop.id)) is None:
        return
    log.error("escrow.payouts_stopped", **values)
    record(session, "system", "escrow.payouts_stopped", _subject(owner_id), values)


def payout_stop(session: Session, asset: str, owners: Sequence[int]) -> PayoutStop | None:
    """The oldest stop of an asset that is on for one of these people."""
    concerned = or_(PayoutStop.owner_id.is_(None), PayoutStop.owner_id.in_(owners))
    query = select(PayoutStop).where(PayoutStop.asset == asset, PayoutStop.lifted_at.is_(None))
    return session.scalar(query.where(concerned).order_by(PayoutStop.id).limit(1))


def cause_is_gone(session: Session, cause: str) -> None:
    """Lift the stop of a cause, if one is on."""
    found = session.scalar(
        select(PayoutStop).where(PayoutStop.cause == cause, PayoutStop.lifted_at.is_(None))
    )
    if found is not None:
        _lift(session, found, "system")


def lift_stop(session: Session, stop_id: int, actor: str) -> None:
    """A person takes it on themselves. Raises NotFound, or Conflict when it is not on."""
    found = session.get(PayoutStop, stop_id, with_for_update=True)
    if found is None:
        raise NotFound(f"There is no payout stop {stop_id}.", field="stop", value=stop_id)
    if found.lifted_at is not None:
        raise Conflict(f"Payout stop {stop_id} is lifted already.", field="stop", value=stop_id)
    _lift(session, found, actor)


def _lift(session: Session, stop: PayoutStop, actor: str) -> None:
    stop.lifted_at, stop.lifted_by = utc_now(), actor
    data = {"cause": stop.cause, "asset": stop.asset}
    record(session, actor, "escrow.payouts_resumed", _subject(stop.owner_id), data)


def _subject(owner_id: int | None) -> str:
    return "payouts:all" if owner_id is None else f"user:{owner_id}"
