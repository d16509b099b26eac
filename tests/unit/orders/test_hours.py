"""Working hours: from a person's zone to UTC minutes of the week, whatever the zone is."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import InvalidInput
from portal.orders.hours import (
    DAYS,
    WEEK,
    WantedHours,
    WantedSpan,
    in_words,
    is_within,
    shift_ahead,
    utc_spans,
)

WINTER = int(datetime(2026, 1, 14, 12, tzinfo=UTC).timestamp() * 1000)
SUMMER = int(datetime(2026, 7, 15, 12, tzinfo=UTC).timestamp() * 1000)


def hours(zone="Europe/Berlin", days=("mon",), start="09:00", end="17:00"):
    return WantedHours(zone, (WantedSpan(tuple(days), start, end),))


def test_the_offset_of_the_moment_counts():
    assert utc_spans(hours(), WINTER) == [(8 * 60, 16 * 60)]
    assert utc_spans(hours(), SUMMER) == [(7 * 60, 15 * 60)]
    assert in_words(utc_spans(hours(), WINTER)) == ["Mon 08:00 – Mon 16:00 UTC"]


def test_monday_morning_in_the_east_is_sunday_in_utc_and_a_span_over_the_week_is_two():
    early = utc_spans(hours("Asia/Tokyo", ("mon",), "08:00", "10:00"), WINTER)
    assert early == [(0, 60), (WEEK - 60, WEEK)]
    assert in_words(early) == ["Mon 00:00 – Mon 01:00 UTC", "Sun 23:00 – Sun 24:00 UTC"]


def test_a_night_shift_ends_the_next_day_and_a_whole_day_is_a_whole_day():
    night = utc_spans(hours("UTC", ("mon",), "22:00", "06:00"), WINTER)
    assert night == [(22 * 60, 30 * 60)]
    assert utc_spans(hours("UTC", DAYS, "00:00", "00:00"), WINTER) == [(0, WEEK)]


def test_touching_and_overlapping_spans_become_one():
    spans = (
        WantedSpan(("tue",), "09:00", "12:00"),
        WantedSpan(("tue",), "11:00", "15:00"),
        WantedSpan(("tue",), "15:00", "16:00"),
    )
    found = utc_spans(WantedHours("UTC", spans), WINTER)
    assert found == [(24 * 60 + 9 * 60, 24 * 60 + 16 * 60)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"zone": "Europe/Atlantis"}, "hours.zone"),
        ({"zone": "../../etc/passwd"}, "hours.zone"),
        ({"zone": "Europe"}, "hours.zone"),
        ({"zone": "x\x00y"}, "hours.zone"),
        ({"start": "24:00"}, "hours.spans.0.start"),
        ({"start": "9:00"}, "hours.spans.0.start"),
        ({"end": "17:60"}, "hours.spans.0.end"),
        ({"end": "١٧:00"}, "hours.spans.0.end"),
        ({"end": "noon"}, "hours.spans.0.end"),
    ],
)
def test_what_is_no_time_or_place_is_named(change, field):
    with pytest.raises(InvalidInput) as refused:
        utc_spans(hours(**change), WINTER)
    assert refused.value.field == field


def test_no_more_spans_than_the_engine_takes():
    crumbs = tuple(WantedSpan(DAYS, f"{hour:02}:00", f"{hour:02}:30") for hour in range(4))
    with pytest.raises(InvalidInput, match="at most 21"):
        utc_spans(WantedHours("UTC", crumbs), WINTER)


def test_a_change_of_clocks_is_told_beforehand():
    assert shift_ahead(hours("Europe/Berlin"), WINTER) == "2026-03-29"
    assert shift_ahead(hours("Asia/Shanghai"), WINTER) is None


@given(
    zone=st.sampled_from(
        ["Europe/Berlin", "Asia/Kathmandu", "Pacific/Chatham", "America/New_York"]
    ),
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    start=st.integers(0, 1439),
    end=st.integers(0, 1439),
    minutes=st.integers(0, WEEK - 1),
)
def test_a_moment_is_within_exactly_when_the_persons_clock_says_so(zone, days, start, end, minutes):
    text = [f"{value // 60:02}:{value % 60:02}" for value in (start, end)]
    spans = utc_spans(hours(zone, sorted(days, key=DAYS.index), *text), WINTER)
    # A week without a change of clocks, so that the clock on the wall can be asked.
    offset = datetime.fromtimestamp(WINTER / 1000, ZoneInfo(zone)).utcoffset() or timedelta()
    at = datetime(2026, 1, 12, tzinfo=UTC) + timedelta(minutes=minutes)
    wall = (at + offset).replace(tzinfo=None)
    length = (end - start) % 1440 or 1440
    expected = False
    for back in (0, 1):
        day = wall - timedelta(days=back)
        begin = day.replace(hour=start // 60, minute=start % 60)
        if DAYS[begin.weekday()] in days:
            expected |= begin <= wall < begin + timedelta(minutes=length)
    assert is_within(spans, int(at.timestamp() * 1000)) is expected
