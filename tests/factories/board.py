"""An engine whose board is never behind, where a scheduler would keep it a moment behind."""

import threading
from typing import Any

from portal.board.following import open_connection
from portal.board.service import bring_up
from portal.core.db import Database
from portal.core.jobs import Engine
from portal.engine.local import LocalEngine


class ShownEngine:
    """Hands commands on, and brings the board up to date before it answers."""

    def __init__(self, engine: Engine, database: Database) -> None:
        self._engine = engine
        self._board = open_connection(database.engine.url.render_as_string(hide_password=False))
        self._lock = threading.Lock()

    def submit(self, command: dict[str, Any]) -> dict[str, Any]:
        """As the engine behind."""
        answer = self._engine.submit(command)
        with self._lock:
            bring_up(self._board)
        return answer

    def close(self) -> None:
        """Let go of the database, and of an engine that is in this process."""
        self._board.close()
        if isinstance(self._engine, LocalEngine):
            self._engine.close()
