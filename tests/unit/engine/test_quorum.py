"""What PostgreSQL's own words mean for how many standbys a commit waits."""

import pytest

from portal.engine.quorum import Standbys, waited_for


@pytest.mark.parametrize(
    ("names", "count"),
    [
        ("", 0),
        ("  ", 0),
        ("*", 1),
        ("one", 1),
        ("one, two", 1),
        ("2 (one, two)", 2),
        ("FIRST 1 (one, two)", 1),
        ("first 2 (one, two, three)", 2),
        ("ANY 1 (*)", 1),
        ('any 2 ("a (b)", two, three)', 2),
        ("ANY 0 (*)", 0),
    ],
)
def test_the_number_of_standbys_is_read(names: str, count: int) -> None:
    assert waited_for(names) == count


def standbys(**changes: object) -> Standbys:
    values: dict[str, object] = {
        "required": 1,
        "names": "ANY 1 (*)",
        "commit": "on",
        "visible": True,
        "connected": 1,
        "stuck": False,
        **changes,
    }
    return Standbys(**values)  # type: ignore[arg-type]


def test_a_full_quorum_is_no_alarm() -> None:
    assert standbys().alarm is None
    assert standbys(commit="remote_apply", connected=3).alarm is None


def test_without_a_demand_nothing_is_asked_for() -> None:
    assert standbys(required=0, names="", commit="off", visible=False, connected=0).alarm is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"names": ""}, "waits for 0 standby servers"),
        ({"required": 2, "connected": 2}, "demands 2"),
        ({"commit": "remote_write"}, "synchronous_commit is remote_write"),
        ({"commit": "local"}, "must be on or remote_apply"),
        ({"visible": False}, "grant pg_read_all_stats"),
    ],
)
def test_what_could_be_asynchronous_is_named(changes: dict[str, object], words: str) -> None:
    assert words in str(standbys(**changes).asynchronous)


def test_a_missing_or_silent_standby_is_an_alarm_but_no_reason_to_stop() -> None:
    missing, silent = standbys(connected=0), standbys(stuck=True)
    assert "0 of 1" in str(missing.alarm)
    assert "does not answer" in str(silent.alarm)
    assert missing.asynchronous is None
    assert silent.asynchronous is None
