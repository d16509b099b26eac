"""What a scheduled job is given."""

from dataclasses import dataclass
from typing import Any, Protocol

from portal.core.db import Database
from portal.core.settings import Settings


class Engine(Protocol):
    """The engine as seen by services and jobs: hand in a command, get its result."""

    def submit(self, command: dict[str, Any]) -> dict[str, Any]:
        """Raises a PortalError when the engine refuses or can't be reached."""
        ...


@dataclass(frozen=True)
class JobContext:
    """Everything a job may touch. `plugins` is the `portal.plugin_host` of this process."""

    settings: Settings
    database: Database
    engine: Engine
    plugins: Any
