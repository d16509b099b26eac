"""Requests and answers of the gateway: bytes in, JSON out, errors as the API tells them."""

import asyncio
import itertools
import re
import secrets
from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson
import structlog

from portal.api.reading import BodyTooLarge, NoQuery, check_text, validate
from portal.core.errors import PortalError, TooManyRequests, Unavailable

BODY_SECONDS = 10.0
RETRY_SECONDS = 1
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)
_BOOT, _NUMBERS = secrets.token_hex(6), itertools.count(1)
_SAME = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
]
_log = structlog.get_logger(__name__)


class Headers(Protocol):
    """Headers of a request, by lower-case name."""

    def get(self, key: str, default: Any = None) -> Any:
        """The header, or the default."""
        ...

    def items(self) -> Iterable[tuple[str, str]]:
        """All of them, in order."""
        ...


class Scope(Protocol):
    """What granian tells of a request (RSGI)."""

    proto: str
    method: str
    path: str
    query_string: str
    client: str
    headers: Headers


class Exchange(Protocol):
    """Granian's side of one request and its answer (RSGI)."""

    async def __call__(self) -> bytes:
        """The whole body."""
        ...

    def __aiter__(self) -> Any:
        """The body in pieces."""
        ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer."""
        ...


class TooSlow(PortalError):
    """A request whose body does not come."""

    code = "request_timeout"
    status = 408


class Bodies:
    """Reads bodies, and gives up on those that do not come: one look at all of them now and then,
    since a timer for each takes longer than reading most.
    """

    def __init__(self, seconds: float = BODY_SECONDS) -> None:
        self._seconds = seconds
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.get_running_loop()

    async def read(self, scope: Scope, exchange: Exchange, most: int) -> bytes:
        """The body. Raises BodyTooLarge beyond `most` bytes, TooSlow when it takes too long."""
        length = scope.headers.get("content-length")
        if length is not None and (
            not (length.isascii() and length.isdigit()) or int(length) > most
        ):
            raise BodyTooLarge(most)
        task = asyncio.current_task()
        assert task is not None
        self._reading[task] = self._loop.time() + self._seconds
        try:
            return await (exchange() if length is not None else _pieces(exchange, most))
        except asyncio.CancelledError:
            if task in self._late and not task.uncancel():
                raise TooSlow(
                    f"The body did not arrive within {self._seconds:g} seconds.", field="body"
                ) from None
            raise
        finally:
            del self._reading[task]
            self._late.discard(task)

    async def watch(self) -> None:
        """Give up on what is late, until cancelled."""
        while True:
            await asyncio.sleep(min(1.0, self._seconds / 2))
            now = self._loop.time()
            for task in [task for task, until in self._reading.items() if until < now]:
                self._late.add(task)
                task.cancel()


async def _pieces(exchange: Exchange, most: int) -> bytes:
    body = bytearray()
    async for piece in exchange:
        body += piece
        if len(body) > most:
            raise BodyTooLarge(most)
    return bytes(body)


def refuse_query(scope: Scope) -> None:
    """Raises InvalidInput for query parameters: nothing here takes any."""
    if scope.query_string:
        values = dict(parse_qsl(scope.query_string, keep_blank_values=True))
        for name, text in values.items():
            check_text(name + text, name)
        validate(NoQuery, values)


def mimetype(scope: Scope) -> str:
    """The body's type without its parameters, in lower case."""
    return str(scope.headers.get("content-type", "")).partition(";")[0].strip().lower()


def client_address(scope: Scope, trusted_proxies: int) -> str:
    """Who sent the request: the peer, or whom the outermost trusted proxy saw."""
    if trusted_proxies:
        lines = [text for name, text in scope.headers.items() if name == "x-forwarded-for"]
        seen = [part.strip() for line in lines for part in line.split(",")]
        if len(seen) >= trusted_proxies:
            return seen[-trusted_proxies]
    return scope.client.rpartition(":")[0].strip("[]")


def request_id(scope: Scope) -> str:
    """The id that the sender gave the request, or one of ours."""
    given = scope.headers.get("x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return str(given)
    return f"{_BOOT}{next(_NUMBERS):012x}"


def answer(exchange: Exchange, status: int, content: Any, number: str) -> None:
    """Send JSON."""
    exchange.response_bytes(status, [*_SAME, ("x-request-id", number)], orjson.dumps(content))


def answer_error(exchange: Exchange, error: PortalError, number: str) -> None:
    """Send an error in the API's shape."""
    headers = [*_SAME, ("x-request-id", number)]
    seconds = getattr(error, "retry_after", None)
    if seconds is None and isinstance(error, TooManyRequests | Unavailable):
        seconds = RETRY_SECONDS
    if seconds is not None:
        headers.append(("retry-after", str(seconds)))
    body = orjson.dumps({"error": error.as_dict()})
    exchange.response_bytes(error.status, headers, body)


def unexpected(number: str) -> PortalError:
    """What a defect of ours is answered with; it is logged under the same number."""
    _log.exception("request_failed", request_id=number)
    return PortalError(
        "Something went wrong in the portal.", hint=f"Tell the operator this number: {number}."
    )
