"""A client that never gives up: orders under keys, asked again until they are acknowledged."""

import contextlib
import socket
import threading
import time
import uuid
from array import array
from collections.abc import Sequence
from typing import Any

from portal.bench.commands import MID, USDT, place_order
from portal.core.errors import Unavailable
from portal.engine import frames

_PATIENCE_SECONDS = 0.5
_PAUSE_SECONDS = 0.005
_OWNER = 1


class Probe:
    """Places an order every `1 / rate` seconds at whichever engine answers, in a thread.

    An order that is due is asked for again and again under its key, at one engine after the
    other, until it is acknowledged; latencies count from when it was due.
    """

    def __init__(self, ports: Sequence[int], token: str, rate: float) -> None:
        self.run = f"probe-{uuid.uuid4().hex[:8]}"
        self._ports = list(ports)
        self._token = token
        self._interval = 1 / rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._socket: socket.socket | None = None
        self._turn = 0
        self.latencies = array("Q")
        self.acknowledged_at = array("d")
        self.refusals: dict[str, int] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End behind the present order."""
        self._stop.set()
        self._thread.join()
        self._drop()

    def wait_acknowledged(self, since: float, seconds: float) -> float:
        """The first acknowledgement of an order that was due after `since` (monotonic).

        Raises Unavailable when none comes within `seconds`.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for at, latency in zip(self.acknowledged_at, self.latencies, strict=False):
                if at - latency / 1e6 > since:
                    return at
            self._stop.wait(_PAUSE_SECONDS)
        raise Unavailable(f"No engine acknowledged an order within {seconds:.0f} seconds.")

    def _work(self) -> None:
        number = 0
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            command = {"key": f"{self.run}-{number}", **_order()}
            while not self._stop.is_set() and not self._submit(number, command):
                self._stop.wait(_PAUSE_SECONDS)
            now = time.monotonic()
            if not self._stop.is_set():
                self.acknowledged_at.append(now)
                self.latencies.append(max(1, int((now - due) * 1e6)))
            number += 1
            due += self._interval

    def _submit(self, number: int, command: dict[str, Any]) -> bool:
        try:
            connection = self._connected()
            connection.sendall(frames.pack({"id": number, "command": command}))
            reply = frames.receive(connection, number)
        except (OSError, frames.BadFrame):
            self._drop()
            return False
        if "result" in reply:
            return True
        code = str(reply.get("error", {}).get("code"))
        self.refusals[code] = self.refusals.get(code, 0) + 1
        self._drop()
        return False

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._turn += 1
            port = self._ports[self._turn % len(self._ports)]
            self._socket = socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(frames.pack({"token": self._token}))
        return self._socket

    def _drop(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket = None


def _order() -> dict[str, Any]:
    command: dict[str, Any] = frames.unpack(b"{" + place_order(_OWNER, "buy", MID // 2, 10 * USDT))
    return command
