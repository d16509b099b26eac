"""What a bench found, as one JSON line."""

import os
import sys
from array import array
from collections.abc import Iterable
from typing import Any

import orjson

SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
_MICROSECONDS = 1000


def ack_ms(latencies: Iterable[int]) -> dict[str, float | None]:
    """Percentiles and the largest of latencies in microseconds, as milliseconds.

    Exact, of every single answer; None of each where there was none.
    """
    ordered = array("Q", sorted(latencies))
    if not ordered:
        return dict.fromkeys((*SHARES, "max"))
    found = {name: ordered[_place(len(ordered), share)] for name, share in SHARES.items()}
    return {
        name: round(us / _MICROSECONDS, 3) for name, us in (found | {"max": ordered[-1]}).items()
    }


def _place(count: int, share: float) -> int:
    """Where the smallest value stands that at least `share` of all are not above."""
    return max(0, -int(-share * count // 1) - 1)


def machine() -> dict[str, Any]:
    """The processors this process may use, and how busy they were in the last minute."""
    return {"cores": len(os.sched_getaffinity(0)), "load_before": round(os.getloadavg()[0], 2)}


def print_result(result: dict[str, Any]) -> None:
    """One result, one line, at once."""
    sys.stdout.write(orjson.dumps(result).decode() + "\n")
    sys.stdout.flush()
