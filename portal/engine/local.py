"""The engine inside this process: for tests and tools that own the whole database."""

import threading
from typing import Any

from portal.core.clock import Clock, now_ms
from portal.core.db import Database, libpq_url
from portal.core.errors import PortalError
from portal.engine.sequencer import Sequencer


class LocalEngine:
    """Submits straight to a sequencer; thread-safe. Takes the shard over on first use."""

    def __init__(self, database: Database, *, clock: Clock = now_ms) -> None:
        url = database.engine.url.set(drivername="postgresql")
        self._sequencer = Sequencer(
            libpq_url(url.render_as_string(hide_password=False)), clock=clock
        )
        self._lock = threading.Lock()

    def submit(self, command: dict[str, Any]) -> dict[str, Any]:
        """The answer once it is durable. Raises the refusal."""
        with self._lock:
            (answer,) = self._sequencer.run([command])
        if isinstance(answer, PortalError):
            raise answer
        return answer

    def close(self) -> None:
        """Let go of the database."""
        self._sequencer.stop()
