"""Percentiles are exact, and a run with a wrong answer is no result."""

import random

from portal.bench.driving import problems
from portal.bench.load import Report
from portal.bench.results import ack_ms


def test_percentiles_are_the_smallest_value_that_covers_their_share() -> None:
    numbers = list(range(1_000, 1_001_000, 1_000))
    random.Random(1).shuffle(numbers)
    assert ack_ms(numbers) == {"p50": 500.0, "p99": 990.0, "p999": 999.0, "max": 1000.0}


def test_a_single_answer_is_every_percentile_and_none_is_none() -> None:
    assert set(ack_ms([2_500]).values()) == {2.5}
    assert set(ack_ms([]).values()) == {None}


def report(**changes: object) -> Report:
    values: dict[str, object] = {
        "commands": 10,
        "answered": 10,
        "unanswered": 0,
        "lasted": 1.0,
        "refused": {},
        "unexpected": {},
        "accepted": 10,
        "ack_ms": {},
        "each_second": [],
        "figures": {},
    }
    return Report(**(values | changes))  # type: ignore[arg-type]


def test_a_run_is_believed_when_all_was_answered_and_committed_once() -> None:
    assert problems(report(), committed=10) == []


def test_what_is_wrong_with_a_run_is_named() -> None:
    assert "9 are committed" in problems(report(), committed=9)[0]
    assert "11 are committed" in problems(report(), committed=11)[0]
    assert "had no answer" in problems(report(unanswered=1), committed=10)[0]
    refused = report(unexpected={"too_many_requests": "None: The engine is busy."})
    assert "too_many_requests" in problems(refused, committed=10)[0]
