"""Chained hashes over canonical JSON: how journals and event logs become tamper-evident.

Compiled by mypyc where a C compiler is there, with the same results.
"""

from hashlib import sha256
from typing import Any, Final

import orjson

START: Final = "0" * 64
_SORTED: Final = orjson.OPT_SORT_KEYS
_dumps: Final = orjson.dumps
_sha256: Final = sha256


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the same bytes for the same value, always."""
    return _dumps(value, None, _SORTED)


def link(previous: str, content: bytes) -> str:
    """SHA-256 over the previous link's hex digest and this link's content."""
    return _sha256(b"\n".join([previous.encode(), content])).hexdigest()


def event_hash(
    previous: str,
    *,
    stream: str,
    seq: int,
    at_ms: int,
    actor: str,
    kind: str,
    subject: str,
    data: Any,
) -> str:
    """The hash of one audit event, over every column but the hash itself."""
    return link(previous, canonical([stream, seq, at_ms, actor, kind, subject, data]))
