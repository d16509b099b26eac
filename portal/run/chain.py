"""The local development chain (anvil), its files, and whether it still agrees with the database.

anvil writes its state once a second and when it is told to stop. Killed the hard way it may come
back up to a second older than the database. The portal keeps every transaction it signed, so the
missing ones are sent again; only if that is not enough does the portal refuse to go on.
"""

import json
import shutil
from itertools import chain
from pathlib import Path
from urllib.request import Request, urlopen

from sqlalchemy import func, select

from portal.core.db import Database
from portal.core.errors import Conflict, Unavailable
from portal.core.settings import DEV_CHAIN_ID
from portal.escrow.models import ChainCursor, ChainDeployment, ChainIntent

PACKAGES = Path("contracts/node_modules")


def anvil_binary() -> Path:
    """The anvil that `npm ci` installed in contracts/; Unavailable when it did not."""
    native = sorted(PACKAGES.glob("@foundry-rs/anvil-*/bin/anvil"))
    for path in chain(native, [PACKAGES / ".bin" / "anvil"]):
        if path.exists():
            return path.absolute()
    raise Unavailable(
        "The local chain (anvil) is not installed.",
        hint="Run `make setup` in the repository, or set CHAIN_RPC_URLS to a running chain.",
    )


def anvil_command(directory: Path, port: int) -> tuple[str, ...]:
    """The command line of a chain whose state lives in `directory`."""
    return (
        str(anvil_binary()), "--host", "127.0.0.1", "--port", str(port),
        "--chain-id", str(DEV_CHAIN_ID), "--state", str(directory / "state.json"),
        "--state-interval", "1", "--cache-path", str(directory / "cache"), "--silent",
    )  # fmt: skip


def prepare_state(directory: Path) -> str | None:
    """Keep a copy of the state, or go back to the copy when a crash damaged it.

    Returns a sentence to show when something had to be mended.
    """
    directory.mkdir(parents=True, exist_ok=True)
    state, copy = directory / "state.json", directory / "state.previous.json"
    if not state.exists():
        return None
    if _is_json(state):
        shutil.copyfile(state, copy)
        return None
    state.replace(directory / "state.damaged.json")
    if copy.exists() and _is_json(copy):
        shutil.copyfile(copy, state)
        return "The chain's state file was damaged; went on from the copy of the last start."
    return "The chain's state file was damaged and there is no copy; the chain starts empty."


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


class LocalChain:
    """The few questions the supervisor asks a chain over JSON-RPC."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, *parameters: object) -> str:
        """The result of one call; Unavailable with the chain's message on an error."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        request = Request(  # noqa: S310
            self.url, json.dumps(call).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            body = json.load(answer)
        if "error" in body:
            raise Unavailable(f"The chain refused {method}: {body['error'].get('message')}")
        return str(body["result"])

    def height(self) -> int:
        """The number of the last block."""
        return int(self.ask("eth_blockNumber"), 16)

    def has_code(self, address: str) -> bool:
        """Whether a contract lives at the address."""
        return self.ask("eth_getCode", address, "latest") not in ("0x", "0x0")


def last_seen_block(database: Database) -> int:
    """The highest block that the database has taken note of; 0 when none."""
    columns = (ChainDeployment.block_number, ChainCursor.block_number, ChainIntent.block_number)
    with database.reader() as session:
        heights = [session.scalar(select(func.max(column))) for column in columns]
    return max((height for height in heights if height is not None), default=0)


def _signed_after(database: Database, height: int) -> list[str]:
    query = (
        select(ChainIntent.raw)
        .where(ChainIntent.raw.is_not(None), ChainIntent.block_number > height)
        .order_by(ChainIntent.block_number, ChainIntent.sender, ChainIntent.nonce)
    )
    with database.reader() as session:
        return [raw for raw in session.scalars(query) if raw]


def bring_chain_up_to_date(database: Database, local: LocalChain) -> str | None:
    """Send again what a killed chain forgot; a sentence to show, or None when nothing was amiss.

    Raises Conflict when chain and database can't be brought together.
    """
    seen, height = last_seen_block(database), local.height()
    if height >= seen and not _missing_contracts(database, local):
        return None
    sent = 0
    for raw in _signed_after(database, height):
        local.ask("eth_sendRawTransaction", raw)
        sent += 1
    now, missing = local.height(), _missing_contracts(database, local)
    if now >= seen and not missing:
        return (
            f"The chain had lost its last {seen - height} blocks; {sent} transactions sent again."
        )
    gone = f", and has no contract {', '.join(missing)}" if missing else ""
    raise Conflict(
        f"The local chain is at block {now}, the database has seen block {seen}{gone}.",
        hint="They no longer agree. `portal run --fresh` puts both aside and starts anew; "
        "or put the chain's state file back under VAR_DIR/chain.",
    )


def _missing_contracts(database: Database, local: LocalChain) -> list[str]:
    query = select(ChainDeployment).where(ChainDeployment.chain_id == DEV_CHAIN_ID)
    with database.reader() as session:
        deployed = list(session.scalars(query))
    return [row.name for row in deployed if not local.has_code(row.address)]
