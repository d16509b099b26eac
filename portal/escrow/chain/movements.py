"""Coins that moved in and out of vaults: each booked once, and booked back if the chain takes it
back.

A movement is one log, known by chain, transaction and log index. Its states:

    new       counts on chain; the engine is being told
    waiting   left the vault, but the ledger has not set the coins free yet
    booked    in the ledger
    final     booked, and its block is final: nothing can take it back
    refused   the engine will not have it; an operator sees the difference
    lost      booked, but its block is gone: payouts of the person are stopped
    reversed  lost, and booked back

A lost movement that is mined again, at whichever place, is booked again without being told twice.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.db import Database
from portal.escrow.chain.blocks import ChainLog, ChainMovement
from portal.escrow.payouts.stops import MOVEMENT, cause_is_gone, stop_payouts

log = structlog.get_logger(__name__)

NEW, WAITING, BOOKED, FINAL = "new", "waiting", "booked", "final"
REFUSED, LOST, REVERSED = "refused", "lost", "reversed"
DEPOSIT, WITHDRAW = "deposit", "withdraw"
_OPPOSITE = {DEPOSIT: WITHDRAW, WITHDRAW: DEPOSIT}
# What the engine said to a command: it is booked, it can't be yet, or never.
Submit = Callable[[dict[str, Any]], str]


@dataclass(frozen=True)
class Seen:
    """A movement as a log shows it. `units` are those of the ledger."""

    kind: str
    owner_id: int
    asset: str
    units: int
    log: ChainLog


def register(session: Session, chain_id: int, seen: Iterable[Seen]) -> None:
    """Note movements that count from now on; those noted before stay as they are."""
    for one in seen:
        if not _is_noted(session, chain_id, one):
            session.add(_movement(chain_id, one, _key(session, chain_id, one)))
            session.flush()


def _is_noted(session: Session, chain_id: int, one: Seen) -> bool:
    query = select(ChainMovement.id).where(
        ChainMovement.chain_id == chain_id,
        ChainMovement.tx_hash == one.log.tx_hash,
        ChainMovement.log_index == one.log.log_index,
        ChainMovement.block_hash == one.log.block_hash,
        ChainMovement.kind == one.kind,
        ChainMovement.state.not_in((LOST, REVERSED)),
    )
    return session.scalar(query) is not None


def _key(session: Session, chain_id: int, one: Seen) -> str:
    """The engine's key. One that was booked back and is mined again gets another."""
    base = f"{one.kind}:{chain_id}:{one.log.tx_hash}:{one.log.log_index}"
    named = (ChainMovement.key == base) | ChainMovement.key.startswith(f"{base}:")
    used = session.scalar(select(func.count()).where(named)) or 0
    return f"{base}:{used}" if used else base


def _movement(chain_id: int, one: Seen, key: str) -> ChainMovement:
    return ChainMovement(
        key=key,
        kind=one.kind,
        chain_id=chain_id,
        tx_hash=one.log.tx_hash,
        log_index=one.log.log_index,
        block_number=one.log.block_number,
        block_hash=one.log.block_hash,
        owner_id=one.owner_id,
        asset=one.asset,
        units=one.units,
        state=NEW,
    )


def take_back(session: Session, ancestor: int) -> None:
    """The blocks above `ancestor` are gone: what was booked from them is lost for now.

    One that the engine was just being told of may be booked, so it is taken for lost too.
    """
    above = ChainMovement.block_number > ancestor
    unbooked = ChainMovement.state.in_((WAITING, REFUSED))
    session.execute(delete(ChainMovement).where(above, unbooked))
    told = select(ChainMovement).where(above, ChainMovement.state.in_((NEW, BOOKED)))
    for movement in session.scalars(told.order_by(ChainMovement.id)):
        movement.state = LOST
        data = {"tx": movement.tx_hash, "asset": movement.asset, "units": movement.units}
        subject = f"user:{movement.owner_id}"
        record(session, "system", f"escrow.{movement.kind}_lost", subject, data)
        log.error("escrow.movement_lost", key=movement.key)
        if movement.kind == DEPOSIT:
            _stop(session, movement)


def _stop(session: Session, movement: ChainMovement) -> None:
    reason = f"The chain took back a deposit that was credited: {movement.tx_hash}."
    stop_payouts(
        session,
        cause=_cause(movement),
        owner_id=movement.owner_id,
        asset=movement.asset,
        reason=reason,
    )


def _cause(movement: ChainMovement) -> str:
    return f"{MOVEMENT}:{movement.id}"


def lost_transactions(session: Session) -> list[str]:
    """The transactions of what is lost at present."""
    query = select(ChainMovement.tx_hash).where(ChainMovement.state == LOST).distinct()
    return list(session.scalars(query))


def find_again(session: Session, chain_id: int, seen: Iterable[Seen]) -> None:
    """What is lost but was mined again is booked as before, at its new place."""
    for one in seen:
        if _is_noted(session, chain_id, one):
            continue
        movement = session.scalar(
            select(ChainMovement)
            .where(
                ChainMovement.state == LOST,
                ChainMovement.tx_hash == one.log.tx_hash,
                ChainMovement.kind == one.kind,
                ChainMovement.owner_id == one.owner_id,
                ChainMovement.asset == one.asset,
                ChainMovement.units == one.units,
            )
            .order_by(ChainMovement.id)
            .limit(1)
        )
        if movement is not None:
            movement.state = BOOKED
            movement.log_index = one.log.log_index
            movement.block_number, movement.block_hash = one.log.block_number, one.log.block_hash
            cause_is_gone(session, _cause(movement))
            session.flush()


def finalize(session: Session, finalized: int) -> None:
    """What is booked from blocks up to here stays."""
    settled = (ChainMovement.state == BOOKED, ChainMovement.block_number <= finalized)
    session.execute(update(ChainMovement).where(*settled).values(state=FINAL))


def book(database: Database, submit: Submit) -> int:
    """Tell the engine of everything new, waiting or lost; how many are booked by it.

    Whatever is killed in between is told again under the same key.
    """
    with database.reader() as session:
        query = select(ChainMovement).where(ChainMovement.state.in_((NEW, WAITING, LOST)))
        # Lost ones first: what they bring back may be what a withdrawal waits for.
        lost_first = (ChainMovement.state != LOST, ChainMovement.id)
        movements = session.scalars(query.order_by(*lost_first)).all()
    count = 0
    for movement in movements:
        state = _tell(submit, movement)
        _note(database, movement, state)
        count += state in (BOOKED, REVERSED)
    return count


def _tell(submit: Submit, movement: ChainMovement) -> str:
    """The state that follows. A lost one that can't be booked back stays lost.

    A process may have died before the engine heard of a movement that is lost now: it hears of it
    first, which changes nothing if it had, so that exactly what was booked is booked back.
    """
    said = submit(_command(movement, movement.kind))
    if movement.state != LOST:
        return said
    if said != BOOKED:
        return REVERSED
    return REVERSED if submit(_reversal(movement)) == BOOKED else LOST


def _command(movement: ChainMovement, kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "key": movement.key,
        "owner": movement.owner_id,
        "asset": movement.asset,
        "units": movement.units,
        "reference": movement.tx_hash,
    }


def _reversal(movement: ChainMovement) -> dict[str, Any]:
    opposite = _command(movement, _OPPOSITE[movement.kind])
    return {**opposite, "key": f"{movement.key}:reversed"}


def _note(database: Database, movement: ChainMovement, state: str) -> None:
    if state == movement.state:
        return
    with database.transaction() as session:
        row = session.get(ChainMovement, movement.id, with_for_update=True)
        # Another process may have rolled back in between: then its word counts.
        if row is not None and row.state == movement.state:
            row.state = state
            if state == REVERSED:
                cause_is_gone(session, _cause(movement))
