"""Each bench, short and slow: its lines are complete, its counts true, nothing stays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bench import running

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


SHORT = ("--seconds", "1", "--warmup", "0.5")


@pytest.fixture
def place() -> Iterator[Path]:
    with running.place() as directory:
        yield directory


def complete(line: dict[str, Any]) -> bool:
    return line.keys() >= running.COMMON and line["ack_ms"].keys() == {"p50", "p99", "p999", "max"}


def test_orders(place: Path) -> None:
    lines = running.results(place, "orders", "--rate", "200", "--rate", "300", *SHORT)
    assert [line["offered_per_s"] for line in lines] == [200, 300]
    assert [line["commands"] for line in lines] == [200, 300]
    for line in lines:
        assert complete(line)
        assert line["unanswered"] == 0
        assert line["trades"] > 0
        assert line["refused"] == {}
        assert set(line["durability"].values()) == {"on"}


def test_orders_in_batches_over_old_ones(place: Path) -> None:
    options = ("--old", "3000", "--old-days", "3", "--per-frame", "20")
    (line,) = running.results(place, "orders", "--rate", "200", *options, *SHORT)
    assert complete(line)
    assert (line["commands"], line["old_orders"], line["per_frame"]) == (200, 3000, 20)


def test_orders_with_a_synchronous_standby(place: Path) -> None:
    (line,) = running.results(place, "orders", "--standby", "--rate", "100", *SHORT)
    assert complete(line)
    assert line["standby"] is True
    assert line["busy_cores"].keys() == {"engine", "postgres", "standby", "load"}


def test_lifecycle(place: Path) -> None:
    (line,) = running.results(place, "lifecycle", "--rate", "40", "--whole", *SHORT)
    assert complete(line)
    assert line["steps"] == ["clear", "lock", "paid", "release", "settle"]
    assert line["commands"] == 40 * len(line["steps"])
    assert line["refused"] == {}
    assert (line["states"]["released"], line["states"]["completed"]) == (60, 60)


@pytest.mark.parametrize("batch", [False, True])
def test_http(place: Path, batch: bool) -> None:
    options = ("--batch",) if batch else ()
    rate = ("--rate", "400", "--people", "8", "--connections", "16")
    (line,) = running.results(place, "http", *rate, *options, *SHORT)
    assert complete(line)
    assert line["commands"] == 400
    assert line["refused"] == {}
    assert line["batch"] == (100 if batch else 1)


def test_memory(place: Path) -> None:
    (line,) = running.results(place, "memory", "--orders", "2000", "--rate", "50", *SHORT)
    assert complete(line)
    assert line["open_orders"] >= 2000
    assert line["memory_mb"] > 10


def test_recovery(place: Path) -> None:
    lines = running.results(place, "recovery", "--orders", "2000", "--rate", "50", *SHORT)
    assert [line["how"] for line in lines] == ["restart", "takeover"]
    for line in lines:
        assert complete(line)
        assert line["outage_seconds"] > 0
        assert line["open_orders"] > 2000


def test_stress_and_its_report(place: Path) -> None:
    report = place / "report.html"
    options = ("--rate", "100", "--report", str(report))
    (line,) = running.results(place, "stress", *options, *SHORT)
    assert complete(line)
    assert line["commands"] == 200
    assert sum(line["sent"].values()) == 300
    text = report.read_text()
    assert "<svg" in text
    assert "http" not in text.replace("http-equiv", "")


def test_match(place: Path) -> None:
    options = ("--build", "plain", "--orders", "4000", "--scenario", "normal")
    lines = running.results(place, "match", *options, "--scenario", "hostile")
    assert [line["scenario"] for line in lines] == ["normal", "hostile"]
    for line in lines:
        assert complete(line)
        assert line["orders"] == 2000
    assert lines[0]["trades"] == lines[1]["trades"] > 1000
    (paced,) = running.results(place, "match", *options, "--rate", "1000", "--seconds", "1")
    assert (paced["orders"], paced["offered_per_s"]) == (1000, 1000)


def test_chain(place: Path) -> None:
    lines = running.results(place, "chain", "--trades", "7", "--batch", "3")
    by_step = {line["step"]: line for line in lines}
    assert by_step["check_signatures"]["checks"] > 0
    assert by_step["settle"]["trades"] == 7
    assert by_step["settle_bare"]["trades"] == 7
    for step in ("open", "settle", "settle_bare"):
        assert by_step[step]["problems"] == []
        assert by_step[step]["trades_per_s"] > 0
        assert 21_000 < by_step[step]["gas_each"] < 200_000
    assert by_step["intent_overhead"]["ms_each"] == pytest.approx(
        by_step["settle"]["ms_each"] - by_step["settle_bare"]["ms_each"], abs=0.02
    )
