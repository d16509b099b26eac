"""Linux' write-back while a bench runs: evenly, as docs/deploy.md tells an operator to set it.

Left alone, Linux keeps what PostgreSQL adds to its files in memory for half a minute, then writes
it all at once, and commits wait behind that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EVEN = {"dirty_background_bytes": 8 << 20, "dirty_writeback_centisecs": 100}
_PLACE = Path("/proc/sys/vm")
# Setting one of the two makes the other 0.
_RATIO = "dirty_background_ratio"


def settings(place: Path = _PLACE) -> dict[str, int]:
    """How it is set now; empty where there is no Linux."""
    return {name: _read(place, name) for name in EVEN if (place / name).exists()}


@contextmanager
def even(place: Path = _PLACE) -> Iterator[None]:
    """Set it, where this process may, and set it back at the end.

    Where it is even already, another bench has set it and will set it back, or the operator has.
    """
    if settings(place) == EVEN:
        yield
        return
    before = {name: _read(place, name) for name in (*EVEN, _RATIO) if (place / name).exists()}
    try:
        for name, value in EVEN.items():
            (place / name).write_text(str(value))
    except OSError:  # Not ours to set: the line says how it was.
        yield
        return
    try:
        yield
    finally:
        by_ratio = before["dirty_background_bytes"] == 0
        for name in EVEN:
            if not (by_ratio and name == "dirty_background_bytes"):
                (place / name).write_text(str(before[name]))
        if by_ratio:
            (place / _RATIO).write_text(str(before[_RATIO]))


def _read(place: Path, name: str) -> int:
    return int((place / name).read_text())
