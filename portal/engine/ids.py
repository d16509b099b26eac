"""How ids are made: shard, day and a running number in one whole number.

`shard * 10**14 + day * 10**10 + n`, so that tables can be partitioned by day of their ids, no two
shards ever give the same one, and all stay below 2**53, where JavaScript stops counting.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
IDS_A_DAY: Final = 10**10
IDS_A_SHARD: Final = 10**14
MOST_SHARDS = 90
DAY_MS: Final = 86_400_000
_EPOCH_MS: Final = int(EPOCH.timestamp() * 1000)
_LAST_DAY: Final = IDS_A_SHARD // IDS_A_DAY - 1


def day_of(at_ms: int) -> int:
    """Days from 2026-01-01 (UTC) to a moment; 0 before it."""
    return min(max(0, (at_ms - _EPOCH_MS) // DAY_MS), _LAST_DAY)


def first_id(shard_number: int, day: int) -> int:
    """The first id of a day, and one after the last of the day before. Ids start at 1."""
    return max(1, shard_number * IDS_A_SHARD + day * IDS_A_DAY)


def start_of(day: int) -> int:
    """The first millisecond of a day."""
    return _EPOCH_MS + day * DAY_MS


def date_text(day: int) -> str:
    """A day as 20260131."""
    return f"{EPOCH + timedelta(days=day):%Y%m%d}"
