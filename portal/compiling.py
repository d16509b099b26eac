"""Compiling the engine's rules by mypyc, in place, where a C compiler is there.

`make setup` does it, by running this file. All modules are built together, because compiled ones
reach into each other without Python in between. A compiled module that is older than its source
is never used: its source is. The environment variable PORTAL_PURE=1 asks for the sources in any
case; results are the same.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

# Paths below portal/, without `.py`: what an order touches between its command and its effects.
MODULES = (
    "core/by_id",
    "core/hashchain",
    "core/units",
    "engine/accounts",
    "engine/apply/__init__",
    "engine/apply/amending",
    "engine/apply/auction",
    "engine/apply/balances",
    "engine/apply/clock",
    "engine/apply/entering",
    "engine/apply/holds",
    "engine/apply/instant",
    "engine/apply/markets",
    "engine/apply/matching",
    "engine/apply/new_orders",
    "engine/apply/order_checks",
    "engine/apply/orders",
    "engine/apply/posting",
    "engine/apply/trades",
    "engine/batcher",
    "engine/copying/events",
    "engine/copying/keys",
    "engine/copying/ledger",
    "engine/copying/orders",
    "engine/copying/texts",
    "engine/copying/trades",
    "engine/ids",
    "engine/intake",
    "engine/open_orders",
    "engine/proof",
    "engine/rows",
    "engine/sealing",
    "engine/state",
    "engine/updating",
    "engine/used_keys",
    "engine/wire",
    "ledger/rules",
    "orders/book",
    "orders/conditions",
    "orders/cursor",
    "orders/lanes",
    "orders/matcher",
    "orders/rules",
    "orders/timers",
    "orders/walk",
    "trades/rules",
)
_GROUP = "compiled__mypyc"
_SUFFIX = EXTENSION_SUFFIXES[0]
_SETUP = """
import sys
from setuptools import setup
from mypyc.build import mypycify
sources = [f"portal/{name}.py" for name in sys.argv[1:]]
modules = mypycify(sources, opt_level="2", debug_level="0", group_name="portal.compiled")
arguments = ["--quiet", "build_ext", "--inplace"]
setup(name="rules", script_args=arguments, packages=[], py_modules=[], ext_modules=modules)
"""


class PlainModules:
    """Finds the sources of those modules before Python finds what is compiled."""

    def __init__(self, folder: Path) -> None:
        self._sources = {
            "portal." + name.removesuffix("/__init__").replace("/", "."): folder / f"{name}.py"
            for name in MODULES
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The source of one of those modules; None for all others."""
        source = self._sources.get(fullname)
        if source is None:
            return None
        inside = [str(source.parent)] if source.name == "__init__.py" else None
        return spec_from_file_location(fullname, source, submodule_search_locations=inside)


def choose(folder: Path) -> None:
    """Have Python use the sources where they are wanted, or newer than what is compiled."""
    if os.environ.get("PORTAL_PURE") == "1" or not is_fresh(folder):
        sys.meta_path.insert(0, PlainModules(folder))


def is_fresh(folder: Path) -> bool:
    """Whether every module is compiled, and none of them before its source was written."""
    try:
        built = min(_compiled(folder, name).stat().st_mtime for name in (_GROUP, *MODULES))
    except FileNotFoundError:
        return False
    return all((folder / f"{name}.py").stat().st_mtime <= built for name in MODULES)


def build(folder: Path) -> str:
    """Compile the modules of `folder` (portal/); one line about what came of it.

    Without a compiler, or with one that fails, the plain sources are used as before.
    """
    remove_former(folder)
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "portal"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        done = subprocess.run(  # noqa: S603 (our own arguments)
            [sys.executable, "-c", _SETUP, *MODULES],
            cwd=place,
            env={**os.environ, "PYTHONPATH": place, "PORTAL_PURE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        names = (_GROUP, *MODULES)
        if done.returncode or not all(_compiled(copy, name).exists() for name in names):
            said = (done.stderr or done.stdout).strip().splitlines() or ["mypyc failed"]
            return f"The engine's rules stay plain Python: {said[-1]}"
        for name in names:
            made = _compiled(folder, name)
            shutil.copyfile(_compiled(copy, name), made.with_suffix(".new"))
            made.with_suffix(".new").replace(made)
    return f"The engine's rules are compiled: {len(MODULES)} modules."


def remove_former(folder: Path) -> None:
    """Remove what was compiled of modules that are not compiled any more: Python would use it."""
    present = {_compiled(folder, name) for name in (_GROUP, *MODULES)}
    for file in folder.rglob(f"*{_SUFFIX}"):
        if file not in present:
            file.unlink()


def _compiled(folder: Path, name: str) -> Path:
    return folder / f"{name}{_SUFFIX}"


if __name__ == "__main__":
    sys.stdout.write(build(Path(__file__).parent) + "\n")
