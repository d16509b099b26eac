"""The one clock: UTC, in integer milliseconds since 1970, or as aware datetimes."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]


def now_ms() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def utc_now() -> datetime:
    """The present as an aware UTC datetime."""
    return datetime.now(UTC)


def from_ms(at_ms: int) -> datetime:
    """An aware UTC datetime from milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def iso(at_ms: int | None) -> str | None:
    """ISO 8601 with milliseconds and Z, as the API shows times."""
    if at_ms is None:
        return None
    return from_ms(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
