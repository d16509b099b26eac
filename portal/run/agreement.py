"""Whether the local chain still agrees with the database, and what is done when it doesn't.

anvil writes its state once a second and when it is told to stop. Killed the hard way it may come
back up to a second older than the database. The portal keeps every transaction it signed, so the
missing ones are sent again; only if that is not enough does the portal refuse to go on.

Plain psycopg: `portal run` asks this at each start and should not wait for an ORM to load.
"""

import json
import time
from typing import Any
from urllib.request import Request, urlopen

import psycopg

from portal.core.addresses import public_part
from portal.core.errors import Conflict, Unavailable
from portal.core.settings import DEV_CHAIN_ID

Connection = psycopg.Connection[Any]
_MINING_SECONDS = 5.0
_POLL_SECONDS = 0.05


def agree(chain_url: str, database_url: str) -> str | None:
    """Bring the chain up to the database; a sentence to show, or None when nothing was amiss.

    Raises Conflict when they can't be brought together.
    """
    url = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(url) as connection:
        return bring_chain_up_to_date(connection, ChainProbe(chain_url))


class ChainProbe:
    """The few questions asked of a chain before the portal's own client is there."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, *parameters: object) -> str:
        """The result of one call; Unavailable with the chain's message on an error."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        request = Request(  # noqa: S310
            self.url, json.dumps(call).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310
                body = json.load(answer)
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"The chain at {public_part(self.url)} does not answer: {type(error).__name__}."
            ) from error
        if "error" in body:
            raise Unavailable(f"The chain refused {method}: {body['error'].get('message')}")
        return str(body["result"])

    def chain_id(self) -> int:
        """The EIP-155 number of the chain."""
        return int(self.ask("eth_chainId"), 16)

    def height(self) -> int:
        """The number of the last block."""
        return int(self.ask("eth_blockNumber"), 16)

    def has_code(self, address: str) -> bool:
        """Whether a contract lives at the address."""
        return self.ask("eth_getCode", address, "latest") not in ("0x", "0x0")


def last_seen_block(connection: Connection) -> int:
    """The highest block that the database has taken note of; 0 when none."""
    row = connection.execute(
        "SELECT greatest((SELECT max(block_number) FROM chain_deployment WHERE chain_id = %s),"
        " (SELECT max(block_number) FROM chain_cursor),"
        " (SELECT max(block_number) FROM chain_intent))",
        (DEV_CHAIN_ID,),
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _signed_after(connection: Connection, height: int) -> list[str]:
    rows = connection.execute(
        "SELECT raw FROM chain_attempt WHERE raw IS NOT NULL AND block_number > %s"
        " ORDER BY block_number, sender, nonce",
        (height,),
    )
    return [row[0] for row in rows]


def _missing_contracts(connection: Connection, local: ChainProbe) -> list[str]:
    rows = connection.execute(
        "SELECT name, address FROM chain_deployment WHERE chain_id = %s ORDER BY name",
        (DEV_CHAIN_ID,),
    )
    return [name for name, address in rows if not local.has_code(address)]


def _height_reached(local: ChainProbe, wanted: int) -> int:
    """The height once it is `wanted`, or after a few seconds: blocks follow what was sent."""
    deadline = time.monotonic() + _MINING_SECONDS
    while (height := local.height()) < wanted and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return height


def bring_chain_up_to_date(connection: Connection, local: ChainProbe) -> str | None:
    """Send again what a killed chain forgot; see `agree`."""
    seen, height = last_seen_block(connection), local.height()
    if height >= seen and not _missing_contracts(connection, local):
        return None
    raws = _signed_after(connection, height)
    for raw in raws:
        local.ask("eth_sendRawTransaction", raw)
    now, missing = _height_reached(local, seen), _missing_contracts(connection, local)
    if now >= seen and not missing:
        return f"the chain had lost {seen - height} blocks; sent {len(raws)} transactions again"
    gone = f" and has no contract {', '.join(missing)}" if missing else ""
    raise Conflict(
        f"The local chain is at block {now}{gone}; the database has seen block {seen}.",
        hint="They no longer agree. `portal run --fresh` puts both aside and starts anew.",
    )
