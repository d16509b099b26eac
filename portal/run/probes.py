"""Is a part ready? Short questions that answer yes or no and never raise."""

import asyncio
import json
from collections.abc import Awaitable, Callable

Probe = Callable[[], Awaitable[bool]]
SECONDS = 2.0


async def _exchange(host: str, port: int, request: bytes) -> bytes:
    """The first bytes of the answer to `request`; empty when nobody answers."""
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                if not request:
                    return b"open"
                writer.write(request)
                await writer.drain()
                return await reader.read(65536)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""


def accepts(port: int, host: str = "127.0.0.1") -> Probe:
    """Somebody listens on the port."""

    async def probe() -> bool:
        return bool(await _exchange(host, port, b""))

    return probe


def answers_http(port: int, path: str = "/", host: str = "127.0.0.1") -> Probe:
    """The port answers HTTP on `path` with anything but a server error."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"

    async def probe() -> bool:
        answer = await _exchange(host, port, request.encode())
        return answer.startswith(b"HTTP/1.1 ") and not answer.startswith(b"HTTP/1.1 5")

    return probe


def answers_chain(port: int, host: str = "127.0.0.1") -> Probe:
    """The port answers Ethereum's `eth_chainId`."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})
    request = (
        f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    )

    async def probe() -> bool:
        return b"HTTP/1.1 200" in await _exchange(host, port, request.encode())

    return probe


def threaded(question: Callable[[], bool]) -> Probe:
    """A blocking question, asked off the event loop."""

    async def probe() -> bool:
        return await asyncio.to_thread(question)

    return probe
