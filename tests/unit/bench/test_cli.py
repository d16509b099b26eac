"""The command line of the benches, and that nobody else pays for it."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from portal.bench.cli import commands
from portal.cli import main

NAMES = ["audit", "chain", "http", "lifecycle", "match", "memory", "orders"]
NAMES += ["plugins", "recovery", "stress"]


def test_every_bench_is_listed() -> None:
    said = CliRunner().invoke(main, ["bench", "--help"]).output
    assert sorted(commands) == NAMES
    for name in NAMES:
        assert f"\n  {name} " in said


# On chain, in the audit log and in plugins there is no rate to offer: one thing follows another.
@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("audit", "chain", "plugins")]
)
def test_every_bench_of_the_engine_takes_a_rate_and_seconds(name: str) -> None:
    said = CliRunner().invoke(main, ["bench", name, "--help"]).output
    assert "--rate" in said
    assert "--seconds" in said


@pytest.mark.parametrize(
    "wrong", [["--rate", "0"], ["--seconds", "-1"], ["--postgres", "nonsense"]]
)
def test_what_makes_no_sense_is_refused_before_anything_starts(wrong: list[str]) -> None:
    ended = CliRunner().invoke(main, ["bench", "orders", *wrong])
    assert ended.exit_code == 2
    assert wrong[0] in ended.output


def test_other_commands_do_not_load_the_benches() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from portal.cli import main;"
        "CliRunner().invoke(main, ['--help']); sys.exit('portal.bench' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
