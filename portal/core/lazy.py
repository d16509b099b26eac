"""Libraries that take seconds to load, loaded by the first who really uses them."""

from importlib import import_module
from typing import Any


class LazyModule:
    """Stands in for a module and imports it at the first attribute asked of it; thread-safe.

    Use it behind `if TYPE_CHECKING: import x` so that the types stay the real ones.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
