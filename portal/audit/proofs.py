"""Proofs for others: that an event is in the log, and that the log only ever grew."""

import base64
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit import tree
from portal.audit.checkpoints import newest_checkpoint
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditSpan
from portal.audit.tiles import Tiles
from portal.core.errors import Conflict, InvalidInput, NotFound
from portal.core.hashchain import START


@dataclass(frozen=True, slots=True)
class Proof:
    """An event with all that leads from it to a signed checkpoint.

    Attributes:
        event: the event's columns; `hash` follows from them and `previous`, the hash before it.
        leaf: its number in the tree, from 0.
        path: the tree's hashes beside the way to the root, base64, lowest first.
        checkpoint: the signed note whose root the path leads to.
    """

    event: dict[str, Any]
    previous: str
    leaf: int
    path: list[str]
    checkpoint: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def prove(session: Session, stream: str, seq: int, at: AuditCheckpoint | None = None) -> Proof:
    """The proof of an event under a checkpoint (None: the newest).

    Raises NotFound when there is no such event, Conflict when no checkpoint has it yet.
    """
    event = session.get(AuditEvent, (stream, seq))
    if event is None:
        raise NotFound("There is no such event.", field="event", value=f"{stream}@{seq}")
    leaf = leaf_number(session, stream, seq)
    note = at or newest_checkpoint(session)
    if leaf is None or note is None or leaf >= note.size:
        raise Conflict(
            f"Event {stream}@{seq} is in no checkpoint yet.",
            hint="One is made every minute; `portal audit checkpoint` makes one now.",
        )
    before = session.get(AuditEvent, (stream, seq - 1))
    path = tree.inclusion_path(Tiles(session).node, leaf, note.size)
    return Proof(
        event=_columns(event),
        previous=before.hash if before else START,
        leaf=leaf,
        path=_texts(path),
        checkpoint=note.note,
    )


def leaf_number(session: Session, stream: str, seq: int) -> int | None:
    """Which leaf an event is; None while it is none."""
    span = session.scalar(
        select(AuditSpan)
        .where(AuditSpan.stream == stream, AuditSpan.first_seq <= seq)
        .order_by(AuditSpan.first_seq.desc())
        .limit(1)
    )
    if span is None or seq >= span.first_seq + span.count:
        return None
    return span.first_leaf + seq - span.first_seq


def consistency(session: Session, old: int) -> tuple[list[str], AuditCheckpoint]:
    """What proves that the log of `old` leaves is the beginning of the newest checkpoint's.

    Raises NotFound while there is no checkpoint, InvalidInput for a size beyond it.
    """
    newest = newest_checkpoint(session)
    if newest is None:
        raise NotFound("There is no checkpoint yet.", hint="One is made every minute.")
    if not 0 <= old <= newest.size:
        raise InvalidInput(
            f"The log has {newest.size} entries.", field="since", value=old,
            hint="Give the size of a checkpoint that you kept.",
        )  # fmt: skip
    return _texts(tree.consistency_path(Tiles(session).node, old, newest.size)), newest


def read_path(path: list[str]) -> list[bytes]:
    """A proof's hashes from base64."""
    return [base64.b64decode(step) for step in path]


def parse_event(name: str) -> tuple[str, int]:
    """An event's name, `stream@seq`. Raises InvalidInput."""
    stream, _, number = name.rpartition("@")
    if not stream or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise InvalidInput(
            "An event is named stream@number.", field="event", value=name,
            hint="Like portal@17 or shard:main@4711; the audit log shows both.",
        )  # fmt: skip
    return stream, int(number)


def _columns(event: AuditEvent) -> dict[str, Any]:
    names = ("stream", "seq", "at_ms", "actor", "kind", "subject", "data", "hash")
    return {name: getattr(event, name) for name in names}


def _texts(hashes: list[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in hashes]
