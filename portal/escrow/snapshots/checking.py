"""Whether a snapshot is what it says: by its signature, a node, and a database."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.db import Database
from portal.core.errors import PortalError
from portal.core.settings import Settings
from portal.engine.models import Shard
from portal.escrow import typed_data
from portal.escrow.chain.client import chain_client
from portal.escrow.contracts import vault_implementation
from portal.escrow.deployment import find_deployment
from portal.escrow.models import EscrowRecord
from portal.escrow.signers.chosen import relayer
from portal.escrow.snapshots.chain_part import Block, chain_part
from portal.escrow.snapshots.ledger_part import (
    audit_hash_at,
    described,
    journal_hash_at,
    totals_at,
)
from portal.escrow.snapshots.snapshot import Snapshot, deployment_of, one_moment, to_sign


def verify(settings: Settings, database: Database, snapshot: Snapshot) -> list[str]:
    """Everything about a snapshot that is not so, worked out anew; empty when all is."""
    return [
        *signature_problems(settings, snapshot),
        *chain_problems(settings, snapshot),
        *database_problems(database, snapshot),
    ]


def signature_problems(settings: Settings, snapshot: Snapshot) -> list[str]:
    """The signature is over this content, by the co-signer of the vaults or our relayer."""
    content = snapshot["content"]
    try:
        signer = typed_data.recover(to_sign(content), str(snapshot.get("signature")))
    except (PortalError, KeyError, TypeError, ValueError) as error:
        return [f"signature: it can't be checked: {error}"]
    known, problems = {relayer(settings).address.lower()}, []
    try:
        vault = vault_implementation(content["deployment"]["escrow"])
        known.add(str(chain_client(settings).read("Vault", vault, "coSigner")).lower())
    except PortalError as error:
        problems.append(f"signature: the co-signer can't be read: {error.message}")
    if signer.lower() not in known:
        problems.append(
            f"signature: it is by {signer}, or the content was changed; "
            f"expected {' or '.join(sorted(known))}"
        )
    return problems


def chain_problems(settings: Settings, snapshot: Snapshot) -> list[str]:
    """What a node says otherwise about the snapshot's block."""
    content = snapshot["content"]
    kept = content["chain"]
    try:
        trades = {number: trade["escrow_id"] for number, trade in kept["trades"].items()}
        client, block = chain_client(settings), Block(**kept["block"])
        found = chain_part(client, deployment_of(content), block, trades, content["vaults"])
    except PortalError as error:
        return [f"chain: {error.message}"]
    if kept["escrow"]["storage_hash"] is None:  # The node that it was made from gave no proofs.
        found["escrow"]["storage_hash"] = None
    return list(_changes("chain", kept, found))


def database_problems(database: Database, snapshot: Snapshot) -> list[str]:
    """What a database, restored or not, says otherwise: it must hold the snapshot's moment."""
    content = snapshot["content"]
    with one_moment(database) as session:
        return [
            *_deployment_problems(session, content),
            *_shard_problems(session, content["ledger"]["shards"]),
            *_audit_problems(session, content["ledger"]["audit"]),
            *_trade_problems(session, content["chain"]["trades"]),
        ]


def _deployment_problems(session: Session, content: dict[str, Any]) -> Iterator[str]:
    found = find_deployment(session)
    if found is None:
        yield "database: it knows no contracts"
    elif found.escrow != content["deployment"]["escrow"]:
        yield from _changes("database: deployment", content["deployment"], described(found))


def _shard_problems(session: Session, shards: dict[str, Any]) -> Iterator[str]:
    for name, kept in shards.items():
        head = session.scalar(select(Shard).where(Shard.name == name))
        seq = kept["seq"]
        if head is None:
            yield f"database: it has no shard {name}"
        elif head.seq < seq:
            yield (
                f"database: shard {name} ends at command {head.seq}, the snapshot at {seq}: "
                f"{seq - head.seq} commands are lost"
            )
        else:
            yield from _moment_problems(session, name, kept)


def _moment_problems(session: Session, name: str, kept: dict[str, Any]) -> Iterator[str]:
    found = journal_hash_at(session, name, kept["seq"])
    if found != kept["journal_hash"]:
        what = "is not there" if found is None else f"has the hash {found}"
        yield (
            f"database: the batch of shard {name} that ends at {kept['seq']} {what}, "
            f"in the snapshot it has {kept['journal_hash']}"
        )
    totals = totals_at(session, name, kept["seq"])
    yield from _changes(f"database: totals of shard {name}", kept["totals"], totals)


def _audit_problems(session: Session, kept: dict[str, Any]) -> Iterator[str]:
    found = audit_hash_at(session, kept["seq"])
    if found != kept["hash"]:
        what = "is not there" if found is None else f"has the hash {found}"
        yield f"database: event {kept['seq']} of the audit log {what}, not {kept['hash']}"


def _trade_problems(session: Session, trades: dict[str, Any]) -> Iterator[str]:
    for number, kept in trades.items():
        record = session.get(EscrowRecord, int(number))
        if record is None:
            yield f"database: trade {number} is not there; its coins are in {kept['escrow_id']}"
        elif record.escrow_id != kept["escrow_id"]:
            yield f"database: trade {number} is {record.escrow_id}, not {kept['escrow_id']}"


def _changes(place: str, kept: Any, found: Any) -> Iterator[str]:
    """Where two values differ, to the deepest place."""
    if isinstance(kept, dict) and isinstance(found, dict):
        for name in sorted(kept.keys() | found.keys()):
            yield from _changes(f"{place}: {name}", kept.get(name), found.get(name))
    elif kept != found:
        yield f"{place}: the snapshot says {_shown(kept)}, it is {_shown(found)}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
