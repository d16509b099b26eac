"""How the other processes hand commands to the engine."""

import itertools
import socket
import threading
from typing import Any

from portal.core.errors import Unavailable, from_dict
from portal.core.settings import Settings
from portal.engine import frames

_TIMEOUT_SECONDS = 15.0
_CONNECT_SECONDS = 3.0


class EngineClient:
    """Submits commands over one connection per thread; thread-safe.

    Of several engines only the one that leads takes connections; the others are passed over.
    """

    def __init__(self, settings: Settings) -> None:
        self._targets = settings.engine_targets
        self._first = 0
        self._token = settings.engine_token.get_secret_value()
        self._local = threading.local()
        self._ids = itertools.count(1)

    def submit(self, command: dict[str, Any]) -> dict[str, Any]:
        """The engine's answer once it is durable.

        Raises the engine's refusal as a PortalError; Unavailable when it can't be reached or
        does not answer in time: with a `key` in the command, asking again is safe.
        """
        request = {"id": next(self._ids), "command": command}
        try:
            reply = self._exchange(request)
        except (OSError, frames.BadFrame) as error:
            self._drop()
            self._first += 1  # A process that stands still takes connections, and never answers.
            raise Unavailable(
                "The trading engine does not answer just now.",
                hint="Your request may not have been carried out. Try again in a moment.",
            ) from error
        if "error" in reply:
            raise from_dict(reply["error"])
        result: dict[str, Any] = reply["result"]
        return result

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        payload = frames.pack(request)
        connection, fresh = self._connection()
        try:
            connection.sendall(payload)
            return frames.receive(connection, request["id"])
        except ConnectionError:
            self._drop()
            if fresh or not request["command"].get("key"):
                raise
        connection, _ = self._connection()
        connection.sendall(payload)
        return frames.receive(connection, request["id"])

    def _connection(self) -> tuple[socket.socket, bool]:
        existing: socket.socket | None = getattr(self._local, "socket", None)
        if existing is not None:
            return existing, False
        connection = self._connect()
        connection.settimeout(_TIMEOUT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(frames.pack({"token": self._token}))
        self._local.socket = connection
        return connection, True

    def _connect(self) -> socket.socket:
        """Try every engine once, beginning with the one that answered last."""
        problem: OSError | None = None
        for turn in range(len(self._targets)):
            at = (self._first + turn) % len(self._targets)
            try:
                connection = socket.create_connection(self._targets[at], timeout=_CONNECT_SECONDS)
            except OSError as error:
                problem = error
                continue
            self._first = at
            return connection
        raise problem or OSError("ENGINE_ADDRESSES names no engine")

    def _drop(self) -> None:
        connection: socket.socket | None = getattr(self._local, "socket", None)
        self._local.socket = None
        if connection is not None:
            connection.close()
