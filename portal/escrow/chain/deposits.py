"""Coins that come into traders' vaults, and leave them by the traders' own doing.

Read from the journal of blocks. What a trade of the portal moves between a vault and the escrow
is booked there; everything else is a deposit or a withdrawal, counted once by chain, transaction
and log index, once its block counts. Coins that left from under an order close the order; those
under a trade are booked once the trade gives them free. What a reorganisation of the chain takes
away is booked back.
"""

from collections.abc import Iterable
from typing import Any

import structlog
from eth_utils.conversions import to_hex
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.core.errors import PortalError, Unavailable
from portal.core.jobs import JobContext
from portal.escrow.chain import movements
from portal.escrow.chain.blocks import ChainBlock
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.effects import doubt
from portal.escrow.chain.finality import counted_height
from portal.escrow.chain.journal import (
    FinalityBroken,
    Journal,
    Rollback,
    finalized_height,
    store_logs,
)
from portal.escrow.chain.vaults import Vaults, vault_owners
from portal.escrow.deployment import find_deployment
from portal.escrow.models import ChainCursor
from portal.escrow.payouts.stops import FINALITY, cause_is_gone, stop_payouts
from portal.markets.models import Market
from portal.orders.models import Order

log = structlog.get_logger(__name__)

# Last block whose movements are noted; rows named "deposits:<vault>" say whose vault was read.
CURSOR = "deposits"
_ONE_AT_A_TIME = text("SELECT pg_try_advisory_xact_lock(hashtextextended('deposits', 0))")


def scan_vaults(context: JobContext, client: ChainClient) -> int:
    """Follow the chain and book what happened in the vaults; returns how many movements.

    A vault that was not known at the last scan is read from the contracts' first block on.
    """
    # While another process scans, a movement must not be told and taken back at once.
    with context.database.transaction() as guard:
        if not guard.scalar(_ONE_AT_A_TIME):
            return 0
        return _scan(context, client)


def _scan(context: JobContext, client: ChainClient) -> int:
    with context.database.reader() as session:
        deployment = find_deployment(session)
        if deployment is None:
            return 0
        vaults = Vaults(deployment, vault_owners(session, deployment))
    tip = _follow(context, client, vaults)
    _read_past(context, client, vaults, tip)
    with context.database.transaction() as session:
        _note_movements(context, session, vaults, tip)
    return movements.book(context.database, lambda command: _submit(context, command))


def _follow(context: JobContext, client: ChainClient, vaults: Vaults) -> int:
    """Bring the journal up to the chain. While the chain contradicts itself nobody is paid."""
    journal = Journal(
        context.database,
        client,
        vaults.deployment.block,
        lambda first, last: vaults.all_logs(client, first, last),
        _undo,
    )
    causes = {f"{FINALITY}:{asset}": asset for asset in vaults.deployment.tokens}
    try:
        tip = journal.follow()
    except FinalityBroken as error:
        with context.database.transaction() as session:
            for cause, asset in causes.items():
                said = error.message
                stop_payouts(session, cause=cause, asset=asset, reason=said, fingerprint=said)
        raise
    with context.database.transaction() as session:
        for cause in causes:
            cause_is_gone(session, cause)
    return tip


def cursor_block(session: Session) -> int | None:
    """Last block whose transfers are booked; None before the first scan."""
    cursor = session.get(ChainCursor, CURSOR)
    return None if cursor is None else cursor.block_number


def _undo(session: Session, rollback: Rollback) -> None:
    """Movements of blocks that are gone are lost; their numbers are looked at again."""
    movements.take_back(session, rollback.ancestor)
    beyond = (ChainCursor.name == CURSOR, ChainCursor.block_number > rollback.ancestor)
    session.execute(update(ChainCursor).where(*beyond).values(block_number=rollback.ancestor))
    doubt(session, rollback.logs)


def _read_past(context: JobContext, client: ChainClient, vaults: Vaults, tip: int) -> None:
    """The journal's blocks were read without vaults that were not known then."""
    with context.database.reader() as session:
        new = _unread(session, vaults)
    if not new:
        return
    found = list(vaults.logs(client, new, vaults.deployment.block, tip))
    with context.database.transaction() as session:
        rows = session.execute(select(ChainBlock.number, ChainBlock.hash))
        known = {row.number: row.hash for row in rows}
        for entry in found:
            if known.get(entry["blockNumber"]) not in (None, to_hex(entry["blockHash"])):
                raise Unavailable("The chain moved while a vault was read; the next run reads it.")
        store_logs(session, found)


def _note_movements(context: JobContext, session: Session, vaults: Vaults, tip: int) -> None:
    chain_id, start = vaults.deployment.chain_id, vaults.deployment.block
    final = finalized_height(session)
    movements.find_again(
        session, chain_id, vaults.seen_in(session, movements.lost_transactions(session))
    )
    movements.finalize(session, final)
    reached = cursor_block(session)
    last = counted_height(context.settings, tip, final)
    if reached is not None and last < reached:
        return  # A node that lags: what it does not know yet must not count as read.
    new = _unread(session, vaults)
    old = [vault for vault in vaults.owners if vault not in new]
    first = start if reached is None else reached + 1
    for some, since in ((new, start), (old, first)):
        movements.register(session, chain_id, vaults.seen(session, some, since, last))
    _remember(session, new, max(last, reached or 0))


def _unread(session: Session, vaults: Vaults) -> list[str]:
    prefix = f"{CURSOR}:"
    names = session.scalars(select(ChainCursor.name).where(ChainCursor.name.startswith(prefix)))
    read = {name.removeprefix(prefix) for name in names}
    return [vault for vault in vaults.owners if vault not in read]


def _remember(session: Session, vaults: Iterable[str], block: int) -> None:
    for name in (CURSOR, *(f"{CURSOR}:{vault}" for vault in vaults)):
        statement = insert(ChainCursor).values(name=name, block_number=block)
        session.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"block_number": block})
        )


def _submit(context: JobContext, command: dict[str, Any]) -> str:
    """Book a movement; it waits when coins that left are still held in the ledger.

    What is refused otherwise is a difference of chain and ledger: `audit verify` shows it.
    """
    try:
        context.engine.submit(command)
    except Unavailable:
        raise
    except PortalError as error:
        if command["kind"] == movements.WITHDRAW and error.field == "units":
            return movements.BOOKED if _close_sales(context, command) else movements.WAITING
        log.error("escrow.vault_movement_refused", key=command["key"], why=error.message)
        return movements.REFUSED
    return movements.BOOKED


def _close_sales(context: JobContext, command: dict[str, Any]) -> bool:
    """Close offers that nothing backs any more, newest first, until the withdrawal is booked."""
    with context.database.reader() as session:
        sales = session.scalars(
            select(Order.id)
            .join(Market, Market.id == Order.market_id)
            .where(Order.owner_id == command["owner"], Order.status == "open")
            .where(Order.side == "sell", Market.base == command["asset"])
            .order_by(Order.id.desc())
        ).all()
    for order_id in sales:
        try:
            context.engine.submit(
                {"kind": "cancel_order", "order_id": order_id, "reason": "Its coins have left."}
            )
            context.engine.submit(command)
        except Unavailable:
            raise
        except PortalError as error:
            log.warning("escrow.sale_closed", order=order_id, why=error.message)
        else:
            return True
    return False
