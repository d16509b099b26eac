"""Checkpoints: every minute, and when asked for, what happened since becomes part of the tree.

A leaf is an event's own hash, which says what happened and all that came before it in its
stream. Leaves of one span of a stream are neighbours; spans come in the order of checkpoints.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from portal.audit import notes, tree
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditSpan
from portal.audit.tiles import Growing, open_tiles, write
from portal.core.clock import now_ms
from portal.core.db import Database
from portal.core.errors import InvalidInput
from portal.core.settings import Settings

_LOCK = int.from_bytes(b"audittre")
_AT_ONCE = 5_000


@dataclass(frozen=True)
class Signing:
    """The log's name, the key that signs its checkpoints, and those that did before."""

    origin: str
    key: Ed25519PrivateKey
    former: tuple[notes.Verifier, ...] = ()

    @property
    def verifier(self) -> notes.Verifier:
        """What others check checkpoints with."""
        return notes.verifier_of(self.origin, self.key)

    @property
    def verifiers(self) -> tuple[notes.Verifier, ...]:
        """What old checkpoints are checked with."""
        return (self.verifier, *self.former)


def signing(settings: Settings) -> Signing:
    """The log's name and key: of `AUDIT_KEY_FILE`, or else one that follows from MASTER_KEY.

    Raises InvalidInput when the file holds no Ed25519 key, or a former key is none.
    """
    origin = settings.base_url.split("://", 1)[-1].rstrip("/") + "/audit"
    former = _former_keys(settings.audit_former_keys or "")
    if settings.audit_key_file is not None:
        return Signing(origin, _read_key(settings.audit_key_file), former)
    secret = settings.master_key.get_secret_value().encode()
    seed = HKDF(SHA256(), 32, b"otc-portal", b"audit-checkpoint").derive(secret)
    return Signing(origin, Ed25519PrivateKey.from_private_bytes(seed), former)


def checkpoint(settings: Settings, database: Database) -> AuditCheckpoint | None:
    """Take in every event that is committed by now; the newest checkpoint, new or not.

    None while there are no events at all. One at a time: a second caller waits for the first.
    """
    sign_with = signing(settings)
    with database.transaction() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        newest = newest_checkpoint(session)
        size = newest.size if newest else 0
        growing = Growing(size, open_tiles(session, size))
        _take_in(session, growing)
        if growing.size == size:
            return newest
        growing.close()
        write(session, growing)
        found = notes.Checkpoint(sign_with.origin, growing.size, growing.root())
        note = notes.sign(found, sign_with.key)
        made = AuditCheckpoint(size=growing.size, at_ms=now_ms(), note=note)
        session.add(made)
        return made


def newest_checkpoint(session: Session) -> AuditCheckpoint | None:
    """The newest one there is."""
    return session.scalar(select(AuditCheckpoint).order_by(AuditCheckpoint.size.desc()).limit(1))


def leaf_of(event_hash: str) -> bytes:
    """The leaf's hash of an event whose own hash is this (hex)."""
    return tree.leaf_hash(bytes.fromhex(event_hash))


def _take_in(session: Session, growing: Growing) -> None:
    """Every stream's events behind those that are in the tree, in order of the streams' names."""
    for stream in _streams(session):
        first_leaf, first_seq = growing.size, _next_seq(session, stream)
        hashes = session.scalars(
            select(AuditEvent.hash)
            .where(AuditEvent.stream == stream, AuditEvent.seq >= first_seq)
            .order_by(AuditEvent.seq)
            .execution_options(yield_per=_AT_ONCE)
        )
        for some in hashes.partitions():
            for event_hash in some:
                growing.append(leaf_of(event_hash))
        count = growing.size - first_leaf
        if count:
            span = AuditSpan(first_leaf=first_leaf, stream=stream, first_seq=first_seq, count=count)
            session.add(span)


def _next_seq(session: Session, stream: str) -> int:
    """The first event of a stream that is not in the tree."""
    last = session.scalar(
        select(AuditSpan)
        .where(AuditSpan.stream == stream)
        .order_by(AuditSpan.first_seq.desc())
        .limit(1)
    )
    return last.first_seq + last.count if last else 1


def _streams(session: Session) -> list[str]:
    """The names of all streams, found by skipping along the index from one to the next."""
    names: list[str] = []
    while True:
        query = select(func.min(AuditEvent.stream))
        if names:
            query = query.where(AuditEvent.stream > names[-1])
        found = session.scalar(query)
        if found is None:
            return names
        names.append(found)


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(
            f"AUDIT_KEY_FILE can't be read: {error}.",
            field="AUDIT_KEY_FILE",
            value=str(path),
            hint="Make one with `openssl genpkey -algorithm ed25519`.",
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(
            "AUDIT_KEY_FILE holds another kind of key.",
            field="AUDIT_KEY_FILE",
            value=str(path),
            hint="Make one with `openssl genpkey -algorithm ed25519`.",
        )
    return key


def _former_keys(texts: str) -> tuple[notes.Verifier, ...]:
    try:
        return tuple(notes.Verifier.parse(text) for text in texts.split(",") if text.strip())
    except notes.BadNote as error:
        raise InvalidInput(
            f"AUDIT_FORMER_KEYS can't be read: {error}.", field="AUDIT_FORMER_KEYS", value=texts
        ) from None
