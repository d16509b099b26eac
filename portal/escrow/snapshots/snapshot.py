"""Making a snapshot, signing it, and keeping it in a file.

The relayer signs: its address stands in every vault as the co-signer, so whoever has only the
chain can tell whose signature it must be; the arbiter's key signs decisions and nothing else. The
signature is EIP-712 over the hash of the content, so a key in a remote signer can make it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
from eth_utils.conversions import to_hex
from eth_utils.crypto import keccak
from sqlalchemy.orm import Session

from portal.core.clock import iso, now_ms, utc_now
from portal.core.db import Database
from portal.core.errors import InvalidInput
from portal.core.hashchain import canonical
from portal.core.settings import Settings
from portal.escrow import typed_data
from portal.escrow.chain.client import chain_client
from portal.escrow.chain.vaults import vault_owners
from portal.escrow.deployment import Deployment, load_deployment
from portal.escrow.signers.chosen import relayer
from portal.escrow.snapshots.chain_part import chain_part, finalized_block
from portal.escrow.snapshots.ledger_part import described, ledger_part, open_trades
from portal.escrow.typed_data import Domain, TypedData

FORMAT = "otc-portal chain snapshot 1"
Snapshot = dict[str, Any]


def directory(settings: Settings) -> Path:
    """Where chain snapshots are kept."""
    return settings.var_dir / "snapshots"


def create(settings: Settings, database: Database) -> Path:
    """Make a snapshot of now and write it; returns the file.

    Raises Unavailable when chain or signer do not answer, Conflict while nothing is final.
    """
    client = chain_client(settings)
    with one_moment(database) as session:
        deployment = load_deployment(session)
        block = finalized_block(client, deployment, settings.chain_confirmations)
        trades, vaults = open_trades(session), sorted(vault_owners(session, deployment))
        ledger = ledger_part(session)
    made_at = str(iso(now_ms()))
    content = {
        "format": FORMAT,
        "made_at": made_at,
        "deployment": described(deployment),
        "chain": chain_part(client, deployment, block, trades, vaults),
        "ledger": ledger,
        "vaults": vaults,
    }
    signer = relayer(settings)
    signature = signer.sign_typed(to_sign(content))
    file = directory(settings) / f"chain-{made_at[:10]}-{block.number}.json"
    _write(file, {"content": content, "signer": signer.address, "signature": signature})
    return file


@contextmanager
def one_moment(database: Database) -> Iterator[Session]:
    """A reading session whose every query sees the same moment."""
    with database.reader() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


def to_sign(content: dict[str, Any]) -> TypedData:
    """The EIP-712 data that is signed for a content."""
    deployment, block = content["deployment"], content["chain"]["block"]
    message = {
        "content": to_hex(keccak(canonical(content))),
        "blockNumber": block["number"],
        "blockHash": block["hash"],
    }
    domain = Domain(deployment["chain_id"], deployment["escrow"])
    return typed_data.typed(domain, "ChainSnapshot", message)


def read(file: Path) -> Snapshot:
    """A snapshot from its file. Raises InvalidInput when it is none."""
    try:
        snapshot = orjson.loads(file.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{file} can't be read: {error.strerror}.", field="file") from None
    except ValueError:
        raise InvalidInput(f"{file} is not JSON.", field="file") from None
    content = snapshot.get("content") if isinstance(snapshot, dict) else None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InvalidInput(f"{file} is not an '{FORMAT}'.", field="file")
    return dict(snapshot)


def deployment_of(content: dict[str, Any]) -> Deployment:
    """The contracts that a snapshot is about."""
    kept = content["deployment"]
    return Deployment(kept["chain_id"], kept["escrow"], kept["tokens"], kept["block"])


def newest(settings: Settings) -> Path | None:
    """The newest snapshot there is."""
    files = sorted(directory(settings).glob("chain-*.json"), key=lambda file: file.stat().st_mtime)
    return files[-1] if files else None


def prune(settings: Settings) -> list[Path]:
    """Delete snapshots of days longer ago than CHAIN_SNAPSHOT_KEEP_DAYS, but never the newest;
    returns which.
    """
    since = utc_now().date() - timedelta(days=settings.chain_snapshot_keep_days)
    kept, gone = newest(settings), []
    for file in sorted(directory(settings).glob("chain-*.json")):
        day = _day_of(file)
        if file != kept and day is not None and day < since:
            file.unlink(missing_ok=True)
            gone.append(file)
    return gone


def _day_of(file: Path) -> date | None:
    """The day in its name; None for a file that somebody else named."""
    try:
        return date.fromisoformat(file.name[len("chain-") :][:10])
    except ValueError:
        return None


def _write(file: Path, snapshot: Snapshot) -> None:
    """Whole or not at all, also after a power cut."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    with unfinished.open("wb") as out:
        out.write(orjson.dumps(snapshot, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
