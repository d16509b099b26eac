"""Events on their way into the log: each chained to the one before, and written for COPY.

The canonical JSON that is hashed (`portal.core.hashchain.event_hash`) is put together from two
parts, because the row needs the second by itself. Compiled by mypyc where a C compiler is there,
with the same results.
"""

from typing import Final

from portal.core.hashchain import canonical, link
from portal.engine.copying.texts import Texts, escaped, statement, whole
from portal.engine.rows import EventRow
from portal.engine.store import Copy

_BACKSLASH: Final = ord("\\")
EVENT_COLUMNS: Final = ("stream", "seq", *EventRow._fields, "hash")


def event_copy(stream: str, after: int, previous: str, events: list[EventRow]) -> tuple[Copy, str]:
    """Some events as COPY and the hash of the last; `previous` is that of the event `after`."""
    lines: list[str] = []
    texts, fixed, seq = Texts(), escaped(stream), after
    for event in events:
        at_ms, actor, kind = event.at_ms, event.actor, event.kind
        subject, data = event.subject, event.data
        seq += 1
        front, said = canonical([stream, seq, at_ms, actor, kind, subject]), canonical(data)
        hash_ = link(previous, b"".join([front[:-1], b",", said, b"]"]))
        shown = said.decode()
        if _BACKSLASH in front or _BACKSLASH in said:  # JSON escapes all that COPY does.
            actor, kind, subject = escaped(actor), escaped(kind), escaped(subject)
            shown = shown.replace("\\", "\\\\")
        lines.append(
            f"{fixed}\t{seq}\t{texts.time(at_ms)}\t{actor}\t{kind}\t{subject}\t{shown}\t{hash_}"
        )
        previous = hash_
    return (_EVENTS, whole(lines)), previous


_EVENTS: Final = statement("audit_event", EVENT_COLUMNS)
