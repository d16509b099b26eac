"""Whether the stored tree and its checkpoints are what the events make of them."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit import notes
from portal.audit.checkpoints import leaf_of
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditSpan, AuditTile
from portal.audit.tiles import Growing

_AT_ONCE = 5_000


def tree_differences(session: Session, verifiers: Sequence[notes.Verifier]) -> Iterator[str]:
    """Grows the tree again from the events' hashes, and compares every tile and checkpoint.

    That the hashes belong to the events is for `portal.audit.checks.chain_differences`.
    """
    checkpoints = list(session.scalars(select(AuditCheckpoint).order_by(AuditCheckpoint.size)))
    waiting = iter(checkpoints)
    due = next(waiting, None)
    growing, nexts = Growing(), dict[str, int]()
    spans = select(AuditSpan).order_by(AuditSpan.first_leaf)
    for span in session.scalars(spans.execution_options(yield_per=_AT_ONCE)):
        expected = (growing.size, nexts.get(span.stream, 1))
        if (span.first_leaf, span.first_seq) != expected:
            yield f"event tree: leaf {span.first_leaf} is not where it should be"
            return
        nexts[span.stream] = span.first_seq + span.count
        _grow(session, growing, span)
        if growing.size != span.first_leaf + span.count:
            yield f"event tree: events of {span.stream} are missing behind leaf {growing.size}"
            return
        while due is not None and due.size <= growing.size:
            yield from _compare(due, growing, verifiers)
            due = next(waiting, None)
        yield from _compare_tiles(session, growing)
    if due is not None:
        yield f"event tree: it has {growing.size} leaves, a checkpoint says {due.size}"
    elif growing.size != (checkpoints[-1].size if checkpoints else 0):
        yield f"event tree: no checkpoint tells of its {growing.size} leaves"
    growing.close()
    yield from _compare_tiles(session, growing)


def _grow(session: Session, growing: Growing, span: AuditSpan) -> None:
    event = AuditEvent
    hashes = session.scalars(
        select(event.hash)
        .where(event.stream == span.stream, event.seq >= span.first_seq)
        .where(event.seq < span.first_seq + span.count)
        .order_by(event.seq)
        .execution_options(yield_per=_AT_ONCE)
    )
    for some in hashes.partitions():
        for event_hash in some:
            growing.append(leaf_of(event_hash))


def _compare(
    checkpoint: AuditCheckpoint, growing: Growing, verifiers: Sequence[notes.Verifier]
) -> Iterator[str]:
    where = f"checkpoint of {checkpoint.size} events"
    if checkpoint.size != growing.size:
        yield f"{where}: none was made there"
        return
    try:
        said = notes.read(checkpoint.note, *verifiers)
    except notes.BadNote as error:
        yield f"{where}: {error}"
        return
    if (said.size, said.root) != (growing.size, growing.root()):
        yield f"{where}: the events have another root"


def _compare_tiles(session: Session, growing: Growing) -> Iterator[str]:
    for (level, number), hashes in growing.changed.items():
        stored = session.scalar(
            select(AuditTile.hashes).where(AuditTile.level == level, AuditTile.number == number)
        )
        if stored != hashes:
            yield f"event tree: tile {number} of level {level} is not what the events make of it"
    growing.changed.clear()
