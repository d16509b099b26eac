"""Stopping payouts, and letting them go on.

A stop moves no coins and ends no trade. It holds every transaction that takes coins out of the
escrow (settle, cancel, expire), or all that a trade of the person would lock or pay out. While
only the sums differ openings go on, since they have deadlines and pay nobody; where the coins
themselves are in doubt nothing is locked either. The word of payment is never held.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from portal.escrow.payouts.models import PayoutStop

log = structlog.get_logger(__name__)

# The kinds of causes: ledger and chain differ about a coin; a credited deposit was taken back; the
# chain took back what was final.
DIFFERENCE, MOVEMENT, FINALITY = "difference", "movement", "finality"
SAID = {
    DIFFERENCE: "ledger and chain differ",
    MOVEMENT: "the chain took back a deposit",
    FINALITY: "the chain took back final blocks",
}
SYSTEM = "system"


def kind_of(stop: PayoutStop) -> str:
    """The kind of its cause."""
    return stop.cause.partition(":")[0]


def find_stop(
    session: Session, asset: str, people: Sequence[int] = (), *, opening: bool = False
) -> PayoutStop | None:
    """The oldest stop that holds payouts of an asset to everybody or to one of these people, or
    that holds their `opening`.
    """
    concerned = or_(PayoutStop.owner_id.is_(None), PayoutStop.owner_id.in_(people))
    query = select(PayoutStop).where(PayoutStop.asset == asset, PayoutStop.lifted_at.is_(None))
    if opening:
        query = query.where(~PayoutStop.cause.startswith(f"{DIFFERENCE}:"))
    return session.scalar(query.where(concerned).order_by(PayoutStop.id).limit(1))


def require_payouts(
    session: Session, asset: str, people: Sequence[int] = (), *, opening: bool = False
) -> None:
    """Raises Unavailable while a stop holds this; asking again later is right."""
    stop = find_stop(session, asset, people, opening=opening)
    if stop is not None:
        raise Unavailable(
            f"Payouts of {asset} are stopped: {SAID.get(kind_of(stop), stop.reason)}.",
            hint=f"Look at stop {stop.id} under Money, Payout stops in the back office.",
        )


def stop_payouts(
    session: Session,
    *,
    cause: str,
    asset: str,
    reason: str,
    owner_id: int | None = None,
    fingerprint: str | None = None,
) -> bool:
    """Stop payouts of an asset, or note that the cause is still there; True when the stop is new.

    A finding that a person let pass stops nothing again while its fingerprint stays the same.
    """
    known = _stop_on(session, cause)
    if known is not None:
        known.reason, known.fingerprint, known.seen_at = reason, fingerprint, utc_now()
        return False
    if fingerprint is not None and _let_pass(session, cause) == fingerprint:
        return False
    values = {"cause": cause, "owner_id": owner_id, "asset": asset, "reason": reason}
    session.add(PayoutStop(**values, fingerprint=fingerprint))
    session.flush()
    log.error("escrow.payouts_stopped", **values)
    record(session, SYSTEM, "escrow.payouts_stopped", _subject(asset, owner_id), values)
    return True


def cause_is_gone(session: Session, cause: str) -> bool:
    """Lift the stop of a cause; True when one was on."""
    known = _stop_on(session, cause)
    if known is None:
        return False
    log.warning("escrow.payouts_resumed", cause=cause, asset=known.asset)
    _lift(session, known, SYSTEM, None)
    return True


def lift_stop(session: Session, stop_id: int, actor: str, note: str) -> PayoutStop:
    """Somebody with the right lets payouts go on although the cause is there.

    Raises NotFound, Conflict when it is not on, InvalidInput without a reason.
    """
    known = session.get(PayoutStop, stop_id, with_for_update=True)
    if known is None:
        raise NotFound(f"There is no payout stop {stop_id}.", field="stop", value=stop_id)
    if known.lifted_at is not None:
        raise Conflict(f"Payout stop {stop_id} is lifted already.", field="stop", value=stop_id)
    if not note.strip():
        raise InvalidInput("A reason is needed.", field="reason")
    _lift(session, known, actor, note)
    return known


def _stop_on(session: Session, cause: str) -> PayoutStop | None:
    """Locked, so that a person and the system don't both end it."""
    query = select(PayoutStop).where(PayoutStop.cause == cause, PayoutStop.lifted_at.is_(None))
    return session.scalar(query.with_for_update())


def _let_pass(session: Session, cause: str) -> str | None:
    """The fingerprint of a cause's newest stop, if a person lifted it."""
    query = select(PayoutStop).where(PayoutStop.cause == cause).order_by(PayoutStop.id.desc())
    newest = session.scalar(query.limit(1))
    return None if newest is None or newest.lifted_by == SYSTEM else newest.fingerprint


def _lift(session: Session, stop: PayoutStop, by: str, note: str | None) -> None:
    stop.lifted_at, stop.lifted_by, stop.note = utc_now(), by, note
    told = {"stop": stop.id, "cause": stop.cause, "asset": stop.asset, "note": note}
    record(session, by, "escrow.payouts_resumed", _subject(stop.asset, stop.owner_id), told)


def _subject(asset: str, owner_id: int | None) -> str:
    return f"asset:{asset}" if owner_id is None else f"user:{owner_id}"
