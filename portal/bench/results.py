"""What a bench found, as one JSON line."""

import os
import sys
from array import array
from collections.abc import Iterable
from typing import Any

import orjson

SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


def ack_ms(latencies: Iterable[int], per_ms: int = 1_000) -> dict[str, float | None]:
    """Percentiles and the largest of latencies, as milliseconds; they come in microseconds.

    Exact, of every single answer; None of each where there was none. `per_ms` is how many of
    their unit make a millisecond.
    """
    ordered = array("Q", sorted(latencies))
    if not ordered:
        return dict.fromkeys((*SHARES, "max"))
    found = {name: ordered[_place(len(ordered), share)] for name, share in SHARES.items()}
    return {
        name: round(value / per_ms, 6) for name, value in (found | {"max": ordered[-1]}).items()
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
