"""The supervisor, watched from outside while it runs small scripts."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
WAIT = "import signal, sys, pathlib; print('up', flush=True); "
STAYS = WAIT + "pathlib.Path(sys.argv[1]).touch(); signal.pause()"
STUBBORN = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('ignoring', flush=True)\nwhile True: time.sleep(60)"
)
CRASHES = "import sys; print('the reason', flush=True); sys.exit(7)"


class Run:
    """A driver process and what it printed so far."""

    def __init__(self, directory: Path, stages: list[list[dict[str, object]]]) -> None:
        command = [sys.executable, "-m", "tests.unit.run.driver"]
        self.process = subprocess.Popen(
            [*command, str(directory), json.dumps(stages)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.text = ""

    def until(self, words: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line
            if words in line:
                return line
        raise AssertionError(f"{words!r} was never printed:\n{self.text}")

    def finish(self, seconds: float = 20) -> int:
        out, _ = self.process.communicate(timeout=seconds)
        self.text += out
        return self.process.returncode

    def child(self, directory: Path, name: str) -> psutil.Process:
        return psutil.Process(json.loads((directory / "run" / f"{name}.pid").read_text())["pid"])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    runs: list[Run] = []

    def _start(*stages: list[dict[str, object]]) -> Run:
        runs.append(Run(tmp_path, list(stages)))
        return runs[-1]

    yield _start
    for run in runs:
        alive = run.process.poll() is None
        children = psutil.Process(run.process.pid).children(recursive=True) if alive else []
        run.process.kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        if run.process.stdout and not run.process.stdout.closed:
            run.process.stdout.close()
        run.process.wait()


def gone(process: psutil.Process, seconds: float = 10) -> bool:
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return False
    return True


def test_stages_start_in_order_and_stop_in_reverse(start, tmp_path: Path) -> None:
    script = (
        "import signal, sys, pathlib, time\n"
        "def end(*_): print('bye', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True)\n"
        "time.sleep(.2); pathlib.Path(sys.argv[1]).touch()\n"
        "while True: signal.pause()"
    )
    one, two = (
        [{"name": "one", "script": script, "ready": True}],
        [{"name": "two", "script": script, "ready": True}],
    )
    run = start(one, two)
    run.until("all up")
    asked = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    assert run.finish() == 0
    assert time.monotonic() - asked < 5
    said = [
        line.split("│")[0].strip() + line.split("│")[1].rstrip() for line in run.text.splitlines()
    ]
    wanted = ["one up", "two up", "portal all up", "two bye", "one bye"]
    assert [line for line in said if line in wanted] == wanted
    assert not list((tmp_path / "run").glob("*.pid"))


def test_a_crashed_part_is_started_again(start, tmp_path: Path) -> None:
    run = start([{"name": "role", "script": STAYS, "ready": True}])
    run.until("all up")
    first = run.child(tmp_path, "role")
    first.kill()
    run.until("killed by SIGKILL); starting it again in 0.5 s")
    run.until("up")
    assert run.child(tmp_path, "role").pid != first.pid


def test_three_quick_crashes_stop_everything_and_show_the_last_lines(start) -> None:
    run = start([{"name": "good", "script": STAYS}], [{"name": "bad", "script": CRASHES}])
    assert run.finish() == 1
    assert "bad ended 3 times in a row (exit 7)" in run.text
    assert run.text.count("bad │ the reason") == 6  # Three as they came, three at the end.
    assert "everything has stopped" in run.text


def test_a_part_that_cannot_start_stops_everything_at_once(start) -> None:
    run = start(
        [{"name": "good", "script": STAYS}], [{"name": "bad", "script": CRASHES, "ready": True}]
    )
    assert run.finish() == 1
    assert "bad could not start (exit 7)" in run.text
    assert "starting it again" not in run.text


def test_a_failing_step_stops_everything(start) -> None:
    run = start(
        [{"name": "good", "script": STAYS}], [{"name": "step", "script": CRASHES, "once": True}]
    )
    assert run.finish() == 1
    assert "step failed (exit 7)" in run.text
    assert "all up" not in run.text


def test_a_part_that_will_not_stop_is_killed(start, tmp_path: Path) -> None:
    run = start([{"name": "stubborn", "script": STUBBORN}])
    run.until("ignoring")
    child = run.child(tmp_path, "stubborn")
    run.process.send_signal(signal.SIGINT)
    assert run.finish() == 0
    assert gone(child, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux")
def test_children_die_with_a_killed_supervisor(start, tmp_path: Path) -> None:
    run = start([{"name": "role", "script": STAYS, "ready": True}])
    run.until("all up")
    child = run.child(tmp_path, "role")
    run.process.kill()
    assert gone(child)


def test_the_next_start_stops_what_survived_a_killed_supervisor(start, tmp_path: Path) -> None:
    run = start([{"name": "stubborn", "script": STUBBORN}])
    run.until("ignoring")
    child = run.child(tmp_path, "stubborn")
    run.process.kill()
    run.process.wait()
    assert child.is_running()
    again = start([{"name": "role", "script": STAYS, "ready": True}])
    again.until("stopped leftover stubborn")
    again.until("all up")
    assert gone(child, 0)


def test_a_process_that_took_over_a_number_is_left_alone(start, tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        note = {"pid": stranger.pid, "started": 1.0, "command": ["other"], "signal": 15}
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "role.pid").write_text(json.dumps(note))
        (tmp_path / "run" / "broken.pid").write_text("{")
        run = start([{"name": "role", "script": STAYS, "ready": True}])
        run.until("all up")
        assert stranger.poll() is None
        assert "leftover" not in run.text
    finally:
        stranger.kill()
        stranger.wait()


def test_workers_of_a_killed_part_do_not_survive_it(start, tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, pathlib, signal\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "pathlib.Path(sys.argv[1]).write_text(str(p.pid)); signal.pause()"
    )
    run = start([{"name": "role", "script": script, "ready": True}])
    run.until("all up")
    worker = psutil.Process(int((tmp_path / "role.ready").read_text()))
    run.child(tmp_path, "role").kill()
    assert gone(worker)


def test_a_second_start_in_the_same_place_is_refused(tmp_path: Path) -> None:
    from portal.core.errors import Conflict
    from portal.run.leftovers import RunFiles

    first = RunFiles(tmp_path)
    first.lock()
    with pytest.raises(Conflict, match=rf"already running here \(process {os.getpid()}\)"):
        RunFiles(tmp_path).lock()
