"""The compiled rules do what the plain ones do, and are never old ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal import compiling

HERE = Path(compiling.__file__).parent


def _start(commands: int, seeds: range, *, pure: bool) -> subprocess.Popen[str]:
    environment = {**os.environ, "PORTAL_PURE": "1" if pure else "0", "PYTHONHASHSEED": "random"}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.orders.random_stream", str(commands), *map(str, seeds)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("commands", "seeds"),
    [(20_000, range(1, 2)), pytest.param(200_000, range(1, 6), marks=pytest.mark.slow)],
    ids=["short", "million"],
)
def test_plain_and_compiled_give_the_same(commands: int, seeds: range) -> None:
    if not compiling.is_fresh(HERE):
        pytest.skip("the rules are not compiled: no C compiler, or sources changed since setup")
    with (
        _start(commands, seeds, pure=True) as plain,
        _start(commands, seeds, pure=False) as compiled,
    ):
        told = [process.communicate()[0].splitlines() for process in (plain, compiled)]
    # Each line: whether it was plain, the seed, the digest.
    assert told[0] == [line.replace("False", "True", 1) for line in told[1]]
    assert [line.split()[:2] for line in told[1]] == [["False", str(seed)] for seed in seeds]


def test_a_compiled_module_older_than_its_source_does_not_count(tmp_path: Path) -> None:
    for name in compiling.MODULES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.py").touch()
    assert not compiling.is_fresh(tmp_path)
    for name in (*compiling.MODULES, "compiled__mypyc"):
        compiling._compiled(tmp_path, name).touch()
    assert compiling.is_fresh(tmp_path)
    source = tmp_path / "orders" / "walk.py"
    os.utime(source, (source.stat().st_mtime + 10, source.stat().st_mtime + 10))
    assert not compiling.is_fresh(tmp_path)


def test_what_was_compiled_of_a_module_that_is_plain_again_is_removed(tmp_path: Path) -> None:
    for name in ("orders/walk", "orders/formerly"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        compiling._compiled(tmp_path, name).touch()
    compiling.remove_former(tmp_path)
    assert compiling._compiled(tmp_path, "orders/walk").exists()
    assert not compiling._compiled(tmp_path, "orders/formerly").exists()
