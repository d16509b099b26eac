"""Coins that come into traders' vaults, and leave them by the traders' own doing.

Read from the tokens' Transfer logs. What a trade of the portal moves between a vault and the
escrow is booked there; everything else is a deposit or a withdrawal, counted once by chain,
transaction and log index. Coins that left from under an order close the order; those under a
trade are booked once the trade gives them free.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import structlog
from eth_utils.conversions import to_hex
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from web3.types import LogReceipt

from portal.core.errors import PortalError, Unavailable
from portal.core.jobs import JobContext
from portal.core.units import MAX_UNITS
from portal.escrow.chain.client import ChainClient
from portal.escrow.contract import EscrowContract, event_topic
from portal.escrow.deployment import Deployment, find_deployment
from portal.escrow.foreign import TradeMoves
from portal.escrow.models import ChainCursor
from portal.markets.models import Market
from portal.orders.models import Order
from portal.users.models import User

log = structlog.get_logger(__name__)

CURSOR = "deposits"
# Rows named "again:<vault>:<block>": a withdrawal there waits for the ledger to free its coins.
AGAIN = "again"
VAULTS_PER_QUERY = 200
_TRANSFER = event_topic("Transfer", "TestUSDT")


def scan_vaults(context: JobContext, client: ChainClient) -> int:
    """Book what happened in the vaults since the last scan; returns how many transfers.

    A vault that was not known at the last scan is read from the contracts' first block on.
    """
    with context.database.reader() as session:
        deployment = find_deployment(session)
        if deployment is None:
            return 0
        owners = vault_owners(session, deployment)
        reached = cursor_block(session)
        old = _scanned(session)
    last = client.block_number() - max(1, context.settings.chain_confirmations) + 1
    if reached is not None and last < reached:
        return 0  # A node that lags: what it does not know yet must not count as read.
    new = [vault for vault in owners if vault not in old]
    first = deployment.block if reached is None else reached + 1
    _book_again(context, client, deployment, owners)
    if last < first and not new:
        return 0
    spans = ((new, deployment.block), ([vault for vault in owners if vault in old], first))
    count = sum(
        _book(context, client, deployment, owners, vaults, start, last) for vaults, start in spans
    )
    with context.database.transaction() as session:
        _remember(session, new, max(last, reached or 0))
    return count


def vault_owners(session: Session, deployment: Deployment) -> dict[str, int]:
    """Every trader's vault in lower case, and whose it is."""
    rows = session.execute(
        select(User.id, User.wallet_address).where(User.wallet_address.is_not(None))
    )
    return {deployment.vault(str(wallet)).lower(): int(user_id) for user_id, wallet in rows}


def cursor_block(session: Session) -> int | None:
    """Last block whose transfers are booked; None before the first scan."""
    cursor = session.get(ChainCursor, CURSOR)
    return None if cursor is None else cursor.block_number


def _scanned(session: Session) -> set[str]:
    prefix = f"{CURSOR}:"
    names = session.scalars(select(ChainCursor.name).where(ChainCursor.name.startswith(prefix)))
    return {name.removeprefix(prefix) for name in names}


def _remember(session: Session, vaults: Iterable[str], block: int) -> None:
    for name in (CURSOR, *(f"{CURSOR}:{vault}" for vault in vaults)):
        statement = insert(ChainCursor).values(name=name, block_number=block)
        session.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"block_number": block})
        )


def _book(
    context: JobContext,
    client: ChainClient,
    deployment: Deployment,
    owners: dict[str, int],
    vaults: list[str],
    first: int,
    last: int,
) -> int:
    found = _movements(context, client, deployment, owners, vaults, first, last)
    for command, block in found:
        if not _submit(context, command):
            _wait(context, deployment, command, block)
    return len(found)


def _movements(
    context: JobContext,
    client: ChainClient,
    deployment: Deployment,
    owners: dict[str, int],
    vaults: list[str],
    first: int,
    last: int,
) -> list[tuple[dict[str, Any], int]]:
    """The commands for what moved in blocks first…last, each with its block."""
    found: list[tuple[dict[str, Any], int]] = []
    if not vaults or first > last:
        return found
    with context.database.reader() as session:
        moves = TradeMoves(session, EscrowContract(client, deployment), first, last)
    for asset, token in deployment.tokens.items():
        for entry in _transfers(client, token, vaults, first, last):
            some = _commands(deployment, moves, owners, set(vaults), asset, entry)
            found += [(command, int(entry["blockNumber"])) for command in some]
    return found


def _book_again(
    context: JobContext, client: ChainClient, deployment: Deployment, owners: dict[str, int]
) -> None:
    """Withdrawals that the ledger had no free coins for; those it still has none for stay."""
    with context.database.reader() as session:
        query = select(ChainCursor.name).where(ChainCursor.name.startswith(f"{AGAIN}:"))
        names = session.scalars(query).all()
    for name in names:
        _, vault, block = name.split(":")
        if vault not in owners:
            continue
        there = (owners, [vault], int(block), int(block))
        found = _movements(context, client, deployment, *there)
        waiting = [command for command, _ in found if not _submit(context, command)]
        if not waiting:
            with context.database.transaction() as session:
                session.execute(delete(ChainCursor).where(ChainCursor.name == name))


def _transfers(
    client: ChainClient, token: str, vaults: list[str], first: int, last: int
) -> Iterator[LogReceipt]:
    """Transfers into and out of the vaults; one between two of them comes twice."""
    for start in range(0, len(vaults), VAULTS_PER_QUERY):
        some = [
            "0x" + vault[2:].rjust(64, "0") for vault in vaults[start : start + VAULTS_PER_QUERY]
        ]
        yield from client.logs(token, [_TRANSFER, None, some], first, last)
        yield from client.logs(token, [_TRANSFER, some], first, last)


def _commands(
    deployment: Deployment,
    moves: TradeMoves,
    owners: dict[str, int],
    watched: set[str],
    asset: str,
    entry: LogReceipt,
) -> Iterator[dict[str, Any]]:
    source, target = (_address(topic) for topic in entry["topics"][1:3])
    units = int.from_bytes(entry["data"], "big")
    if units == 0 or source == target:
        return
    if deployment.escrow.lower() in (source, target) and moves.ours(entry):
        return
    if units > MAX_UNITS:
        log.error("escrow.vault_movement_uncountable", tx=to_hex(entry["transactionHash"]))
        return
    tx_hash = to_hex(entry["transactionHash"])
    place = f"{deployment.chain_id}:{tx_hash}:{entry['logIndex']}"
    for kind, vault in (("deposit", target), ("withdraw", source)):
        if vault in watched:
            yield {
                "kind": kind,
                "key": f"{kind}:{place}",
                "owner": owners[vault],
                "asset": asset,
                "units": units,
                "reference": tx_hash,
            }


def _address(topic: bytes) -> str:
    return to_hex(topic[-20:])


def _submit(context: JobContext, command: dict[str, Any]) -> bool:
    """Book a movement; False when coins that left are still held in the ledger.

    What is refused otherwise is a difference of chain and ledger: `audit verify` shows it.
    """
    try:
        context.engine.submit(command)
    except Unavailable:
        raise
    except PortalError as error:
        if command["kind"] == "withdraw" and error.field == "units":
            return _close_sales(context, command)
        log.error("escrow.vault_movement_refused", key=command["key"], why=error.message)
    return True


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


def _wait(context: JobContext, deployment: Deployment, command: dict[str, Any], block: int) -> None:
    log.error("escrow.withdrawal_waits", key=command["key"], block=block)
    with context.database.transaction() as session:
        wallet = session.get_one(User, command["owner"]).wallet_address
        name = f"{AGAIN}:{deployment.vault(str(wallet)).lower()}:{block}"
        statement = insert(ChainCursor).values(name=name, block_number=block)
        session.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
