"""Stopping payouts of a coin, and letting them go on.

What is held: transactions that move coins out of the escrow (settle, cancel, expire). Openings and
the word of payment go on: they have deadlines, and pay nobody.
"""

from collections.abc import Sequence
from hashlib import sha256

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from portal.escrow.payouts.models import TokenStop
from portal.escrow.reconcile import Difference

log = structlog.get_logger(__name__)

_SHOWN = 20


def open_stop(session: Session, asset: str) -> TokenStop | None:
    """The stop of an asset that is not over, if there is one."""
    return session.scalar(
        select(TokenStop).where(TokenStop.asset == asset, TokenStop.ended_at.is_(None))
    )


def require_payouts(session: Session, asset: str) -> None:
    """Raises Unavailable while payouts of this asset are stopped; asking again later is right."""
    if open_stop(session, asset) is not None:
        raise Unavailable(
            f"Payouts of {asset} are stopped: ledger and chain differ.",
            hint="Look under Money, Stopped coins in the back office.",
        )


def stop(session: Session, asset: str, differences: Sequence[Difference]) -> bool:
    """Stop payouts of an asset, or note that it still differs; True when the stop is new.

    A difference that somebody accepted stops nothing again while it stays the same.
    """
    reason, fingerprint = _reason(differences), _fingerprint(differences)
    known = open_stop(session, asset)
    if known is not None:
        known.reason, known.fingerprint, known.seen_at = reason, fingerprint, utc_now()
        return False
    if _accepted(session, asset) == fingerprint:
        return False
    session.add(TokenStop(asset=asset, reason=reason, fingerprint=fingerprint))
    log.error("escrow.payouts_stopped", asset=asset, reason=reason)
    record(session, "system", "escrow.payouts_stopped", f"asset:{asset}", {"reason": reason})
    return True


def resume(session: Session, asset: str) -> bool:
    """Payouts go on: ledger and chain match again. True when they were stopped."""
    known = open_stop(session, asset)
    if known is None:
        return False
    _end(known, "system", None)
    log.warning("escrow.payouts_resumed", asset=asset)
    record(session, "system", "escrow.payouts_resumed", f"asset:{asset}", {})
    return True


def accept(session: Session, stop_id: int, actor: str, note: str) -> TokenStop:
    """Somebody with the right lets payouts go on although the difference is there.

    Raises NotFound, Conflict when it is over, InvalidInput without a reason.
    """
    known = session.get(TokenStop, stop_id, with_for_update=True)
    if known is None:
        raise NotFound(f"There is no stop {stop_id}.", field="stop", value=stop_id)
    if known.ended_at is not None:
        raise Conflict(f"Payouts of {known.asset} go on already.", field="stop", value=stop_id)
    if not note.strip():
        raise InvalidInput("A reason is needed.", field="reason")
    _end(known, actor, note)
    told = {"reason": known.reason, "note": note}
    record(session, actor, "escrow.difference_accepted", f"asset:{known.asset}", told)
    return known


def _end(known: TokenStop, by: str, note: str | None) -> None:
    known.ended_at, known.ended_by, known.note = utc_now(), by, note


def _accepted(session: Session, asset: str) -> str | None:
    """The fingerprint of the newest stop, if a person ended it."""
    newest = session.scalar(
        select(TokenStop).where(TokenStop.asset == asset).order_by(TokenStop.id.desc()).limit(1)
    )
    return None if newest is None or newest.ended_by == "system" else newest.fingerprint


def _reason(differences: Sequence[Difference]) -> str:
    lines = [difference.text for difference in differences[:_SHOWN]]
    more = len(differences) - len(lines)
    return "\n".join(lines + ([f"and {more} more"] if more else []))


def _fingerprint(differences: Sequence[Difference]) -> str:
    """Of where and by how much they differ: the sums themselves move with every trade."""
    places = sorted(f"{difference.place}:{difference.units}" for difference in differences)
    return sha256("\n".join(places).encode()).hexdigest()
