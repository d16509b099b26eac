"""The compiled rules do what the plain ones do, and are never old ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal import compiling

HERE = Path(compiling.__file__).parent


def _told(commands: int, *, pure: bool) -> list[str]:
    environment = {**os.environ, "PORTAL_PURE": "1" if pure else "0", "PYTHONHASHSEED": "random"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.orders.random_stream", str(commands)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    "commands", [20_000, pytest.param(200_000, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_plain_and_compiled_give_the_same(commands: int) -> None:
    if not compiling.is_fresh(HERE):
        pytest.skip("the rules are not compiled: no C compiler, or sources changed since setup")
    plain, compiled = _told(commands, pure=True), _told(commands, pure=False)
    assert (plain[0], compiled[0]) == ("True", "False")
    assert plain[1] == compiled[1]


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
