"""A new plugin's package: its own tests pass as generated, and bad names write nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from portal.cli import main
from portal.core.errors import Conflict, InvalidInput
from portal.plugin_kit.making import KINDS, make

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", KINDS)
def test_its_tests_pass_as_generated(kind: str, tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["plugins", "new", kind, "acme_one", "--into", str(tmp_path)])
    assert said.exit_code == 0, said.output
    place = tmp_path / "acme_one"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=place,
        env={"PATH": "", "PYTHONPATH": f"{place}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_as_tidy_as_ours(kind: str, tmp_path: Path) -> None:
    make(kind, "acme_one", tmp_path)
    rules = ["--isolated", "--line-length", "100", "--select", "E,F,B,UP,SIM,RUF"]
    ruff = [sys.executable, "-m", "ruff", "check", *rules, "--ignore", "RUF001,RUF002"]
    ran = subprocess.run([*ruff, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "../x", "portal", "x" * 41, "ä_b"])
def test_a_bad_name_writes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="can't be the name"):
        make("gateway", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "acme_one").mkdir()
    with pytest.raises(Conflict, match="there already"):
        make("gateway", "acme_one", tmp_path)
    assert list((tmp_path / "acme_one").iterdir()) == []
