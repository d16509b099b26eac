"""Coins that come into traders' vaults, and leave them by the traders' own doing.

Read from the tokens' Transfer logs. What moves between a vault and the escrow is a trade's
business and is booked there; everything else is a deposit or a withdrawal, counted once by
chain, transaction and log index.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import structlog
from eth_utils.conversions import to_hex
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from web3.types import LogReceipt

from portal.core.errors import PortalError, Unavailable
from portal.core.jobs import JobContext
from portal.escrow.chain import ChainClient
from portal.escrow.contract import event_topic
from portal.escrow.deployment import Deployment, find_deployment
from portal.escrow.models import ChainCursor
from portal.users.models import User

log = structlog.get_logger(__name__)

CURSOR = "deposits"
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
    new = [vault for vault in owners if vault not in old]
    first = deployment.block if reached is None else reached + 1
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
    commands: list[dict[str, Any]] = []
    for asset, token in deployment.tokens.items():
        for log_entry in _transfers(client, token, vaults, first, last):
            commands += _commands(deployment, owners, set(vaults), asset, log_entry)
    for command in commands:
        _submit(context, command)
    return len(commands)


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
    owners: dict[str, int],
    watched: set[str],
    asset: str,
    entry: LogReceipt,
) -> Iterator[dict[str, Any]]:
    source, target = (_address(topic) for topic in entry["topics"][1:3])
    units = int.from_bytes(entry["data"], "big")
    if deployment.escrow.lower() in (source, target) or units == 0 or source == target:
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


def _submit(context: JobContext, command: dict[str, Any]) -> None:
    """A refused movement is a difference between chain and ledger: `audit verify` shows it."""
    try:
        context.engine.submit(command)
    except Unavailable:
        raise
    except PortalError as error:
        log.error("escrow.vault_movement_refused", key=command["key"], why=error.message)
