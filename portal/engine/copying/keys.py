"""Used keys as COPY. Compiled by mypyc where a C compiler is there, with the same results."""

from collections.abc import Sequence
from typing import Final

from portal.engine.copying.texts import escaped, statement, whole
from portal.engine.store import Copy

KEY_COLUMNS: Final = ("shard", "day", "key", "seq")


def key_copy(shard: str, day: int, keys: Sequence[tuple[str, int]]) -> Copy:
    """Which command (by seq) each key was used for."""
    front = f"{escaped(shard)}\t{day}\t"
    return _KEYS, whole([f"{front}{escaped(key)}\t{seq}" for key, seq in keys])


_KEYS: Final = statement("command_key", KEY_COLUMNS)
