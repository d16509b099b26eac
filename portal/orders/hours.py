"""Working hours: written in a person's time zone, kept as UTC minutes of the week.

The zone's offset of the moment they are written counts. They stay in UTC from then on: where
clocks change twice a year they are an hour off afterwards, which `shift_ahead` tells beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from portal.core.clock import from_ms
from portal.core.errors import InvalidInput

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK = 7 * 24 * 60
MOST_SPANS = 21
_DAY = 24 * 60
_LOOK_AHEAD_DAYS = 200

Span = tuple[int, int]


@dataclass(frozen=True)
class WantedSpan:
    """From `start` to `end` (HH:MM) on each of `days`; an end not after the start is tomorrow's."""

    days: tuple[Day, ...]
    start: str
    end: str


@dataclass(frozen=True)
class WantedHours:
    """Working hours in the words of a person in `zone` (an IANA name such as Europe/Berlin)."""

    zone: str
    spans: tuple[WantedSpan, ...]


def utc_spans(hours: WantedHours, at_ms: int) -> list[Span]:
    """Spans of UTC minutes of the week from Monday 00:00: sorted, joined, none across the end.

    Raises InvalidInput for an unknown zone, a time that is none, or too many spans.
    """
    offset = _offset_minutes(_zone(hours.zone), from_ms(at_ms))
    found: list[Span] = []
    for place, span in enumerate(hours.spans):
        start = _minutes(span.start, f"hours.spans.{place}.start")
        end = _minutes(span.end, f"hours.spans.{place}.end")
        length = (end - start) % _DAY or _DAY
        for day in span.days:
            begin = (DAYS.index(day) * _DAY + start - offset) % WEEK
            found += _within_week(begin, begin + length)
    joined = _joined(found)
    if len(joined) > MOST_SPANS:
        raise InvalidInput(
            f"Working hours have at most {MOST_SPANS} spans a week.", field="hours.spans"
        )
    return joined


def shift_ahead(hours: WantedHours, at_ms: int) -> str | None:
    """The next day on which the zone's clocks change, if that is near, as YYYY-MM-DD."""
    zone, start = _zone(hours.zone), from_ms(at_ms)
    now = _offset_minutes(zone, start)
    for days in range(1, _LOOK_AHEAD_DAYS):
        then = start + timedelta(days=days)
        if _offset_minutes(zone, then) != now:
            return then.astimezone(zone).date().isoformat()
    return None


def is_within(spans: Sequence[Sequence[int]], at_ms: int) -> bool:
    """Whether a moment lies in one of the spans; no spans mean always."""
    if not spans:
        return True
    at = from_ms(at_ms).astimezone(UTC)
    minute = at.weekday() * _DAY + at.hour * 60 + at.minute
    return any(start <= minute < end for start, end in spans)


def in_words(spans: Sequence[Sequence[int]]) -> list[str]:
    """The spans as people read them: Mon 09:00 – Mon 17:00 UTC."""
    return [f"{_moment(start)} – {_moment(end)} UTC" for start, end in spans]


def _moment(minute: int) -> str:
    day, rest = divmod(minute, _DAY)
    if day == len(DAYS):  # The end of the week is the last day's midnight.
        day, rest = day - 1, _DAY
    return f"{DAYS[day].capitalize()} {rest // 60:02}:{rest % 60:02}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            "There is no such time zone.",
            field="hours.zone",
            value=name,
            hint="Write it like Europe/Berlin.",
        ) from None


def _offset_minutes(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)


def _minutes(text: str, field: str) -> int:
    hour, _, minute = text.partition(":")
    well_formed = len(text) == 5 and text.isascii() and hour.isdigit() and minute.isdigit()
    if well_formed and int(hour) < 24 and int(minute) < 60:
        return int(hour) * 60 + int(minute)
    raise InvalidInput(
        "This is no time of the day.", field=field, value=text, hint="Write it like 09:00."
    )


def _within_week(begin: int, end: int) -> list[Span]:
    if end <= WEEK:
        return [(begin, end)]
    return [(begin, WEEK), (0, end - WEEK)]


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
