"""Orders. The matcher's modules may be compiled (`portal.orders.compiling`).

A compiled module that is older than its source is never used: its source is. The environment
variable PORTAL_PURE=1 asks for the sources in any case; results are the same.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from portal.orders.compiling import MODULES, is_fresh

_HERE = Path(__file__).parent


class PlainModules:
    """Finds the sources of the matcher's modules before Python finds what is compiled."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The source of one of those modules; None for all others."""
        package, _, name = fullname.rpartition(".")
        if package != __name__ or name not in MODULES:
            return None
        return spec_from_file_location(fullname, _HERE / f"{name}.py")


if os.environ.get("PORTAL_PURE") == "1" or not is_fresh(_HERE):
    sys.meta_path.insert(0, PlainModules())
