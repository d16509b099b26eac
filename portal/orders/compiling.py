"""Compiling the matcher by mypyc, in place, where a C compiler is there.

`make setup` does it, by running this file. All modules are built together, because compiled ones
reach into each other without Python in between.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

MODULES = ("book", "conditions", "lanes", "matcher", "rules", "timers", "walk")
_GROUP = "compiled__mypyc"
_SUFFIX = EXTENSION_SUFFIXES[0]
_SETUP = """
import sys
from setuptools import setup
from mypyc.build import mypycify
sources = [f"portal/orders/{name}.py" for name in sys.argv[1:]]
modules = mypycify(sources, opt_level="3", debug_level="0", group_name="portal.orders.compiled")
arguments = ["--quiet", "build_ext", "--inplace"]
setup(name="matcher", script_args=arguments, packages=[], py_modules=[], ext_modules=modules)
"""


def is_fresh(folder: Path) -> bool:
    """Whether every module is compiled, and none of them before its source was written."""
    try:
        built = min(_compiled(folder, name).stat().st_mtime for name in (_GROUP, *MODULES))
    except FileNotFoundError:
        return False
    return all((folder / f"{name}.py").stat().st_mtime <= built for name in MODULES)


def build(folder: Path) -> str:
    """Compile the modules of `folder` (portal/orders); one line about what came of it.

    Without a compiler, or with one that fails, the plain sources are used as before.
    """
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "portal"
        # Relations to the rest of the portal are checked by mypy elsewhere.
        shutil.copytree(folder.parent / "core", copy / "core")
        (copy / "orders").mkdir()
        for package in (copy, copy / "orders"):
            (package / "__init__.py").touch()
        for name in MODULES:
            shutil.copy2(folder / f"{name}.py", copy / "orders")
        done = subprocess.run(  # noqa: S603 (our own arguments)
            [sys.executable, "-c", _SETUP, *MODULES],
            cwd=place,
            env={**os.environ, "PYTHONPATH": place},
            capture_output=True,
            text=True,
            check=False,
        )
        names = (_GROUP, *MODULES)
        if done.returncode or not all(_compiled(copy / "orders", n).exists() for n in names):
            said = (done.stderr or done.stdout).strip().splitlines() or ["mypyc failed"]
            return f"The matcher stays plain Python: {said[-1]}"
        for name in names:
            made = _compiled(folder, name)
            shutil.copyfile(_compiled(copy / "orders", name), made.with_suffix(".new"))
            made.with_suffix(".new").replace(made)
    return f"The matcher is compiled: {len(MODULES)} modules."


def _compiled(folder: Path, name: str) -> Path:
    return folder / f"{name}{_SUFFIX}"


if __name__ == "__main__":
    sys.stdout.write(build(Path(__file__).parent) + "\n")
