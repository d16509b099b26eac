"""A client that sends what no decent client would, byte by byte."""

import json
import socket
from typing import Any

from portal.engine import frames


class Door:
    """One raw connection to an engine, its token shown already."""

    def __init__(self, port: int, token: str | None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        if token is not None:
            self.send(json.dumps({"token": token}).encode())

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, body: bytes) -> None:
        """A frame with any content."""
        self.socket.sendall(frames.HEADER.pack(len(body)) + body)

    def ask(self, command: Any) -> dict[str, Any]:
        """The reply to a command: its JSON, or anything that Python can write as JSON."""
        body = command if isinstance(command, bytes) else json.dumps(command).encode()
        self.send(b'{"id":7,"command":' + body + b"}")
        return self.reply()

    def reply(self) -> dict[str, Any]:
        """The next frame. Raises EOFError when the engine has closed the connection."""
        length = frames.length_of(self._exactly(frames.HEADER.size))
        reply: dict[str, Any] = json.loads(self._exactly(length))
        return reply

    def is_closed(self) -> bool:
        """Whether the engine has hung up; waits for it."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def _exactly(self, size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            part = self.socket.recv(size - len(parts))
            if not part:
                raise EOFError("the engine has closed the connection")
            parts += part
        return parts
