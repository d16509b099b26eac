"""A bench that is interrupted, or killed, leaves nothing running either."""

import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.integration.bench import running

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


LOADS = {"portal.bench.load", "portal.bench.http_load"}


def start_and_wait_for_the_load(directory: Path, bench_name: str) -> subprocess.Popen[str]:
    bench = running.start(directory, bench_name, "--rate", "100", "--seconds", "600")
    for _ in range(1_200):
        if any(LOADS & set(line) for line in running.command_lines(directory)):
            return bench
        with pytest.raises(subprocess.TimeoutExpired):
            bench.wait(0.1)
    raise AssertionError("the load did not start")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_everything_is_put_away_when_it_is_interrupted(number: signal.Signals) -> None:
    with running.place() as directory:
        bench = start_and_wait_for_the_load(directory, "orders")
        bench.send_signal(number)
        bench.communicate(timeout=60)
        assert bench.returncode != 0
        assert running.left_behind(directory) == []


def test_its_servers_die_with_it_and_the_next_one_clears_its_files() -> None:
    with running.place() as directory:
        bench = start_and_wait_for_the_load(directory, "http")
        servers = running.processes(directory)
        bench.kill()
        bench.communicate(timeout=60)
        _, alive = psutil.wait_procs(servers, timeout=60)
        assert alive == []
        assert len(list((directory / "bench").glob("*"))) == 1
        short = ("--rate", "50", "--seconds", "1", "--warmup", "0")
        running.results(directory, "orders", *short)
