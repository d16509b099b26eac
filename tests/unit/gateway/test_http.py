"""What the gateway reads of a request."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from portal.api.reading import BodyTooLarge
from portal.core.errors import InvalidInput
from portal.gateway import http


class Request:
    """A request as granian tells it."""

    def __init__(self, headers: list[tuple[str, str]] | None = None, **more: Any) -> None:
        pairs = headers or []
        self.headers = SimpleNamespace(
            get=lambda name, default=None: dict(pairs).get(name, default), items=lambda: pairs
        )
        self.query_string = more.get("query_string", "")
        self.client = more.get("client", "10.0.0.9:4711")


class Body:
    """A body that arrives in pieces."""

    def __init__(self, *pieces: bytes, stuck: bool = False) -> None:
        self.pieces, self.stuck = pieces, stuck

    async def __call__(self) -> bytes:
        if self.stuck:
            await asyncio.Event().wait()
        return b"".join(self.pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.stuck:
            await asyncio.Event().wait()


def read(request: Request, body: Body, most: int = 10, seconds: float = 30) -> bytes:
    async def work() -> bytes:
        bodies = http.Bodies(seconds)
        watch = asyncio.create_task(bodies.watch())
        try:
            reading = asyncio.create_task(bodies.read(request, body, most))  # type: ignore[arg-type]
            return await asyncio.wait_for(reading, 20)
        finally:
            watch.cancel()

    return asyncio.run(work())


def test_a_body_is_read_up_to_its_limit() -> None:
    sized = Request([("content-length", "10")])
    assert read(sized, Body(b"0123456789")) == b"0123456789"
    assert read(Request(), Body(b"01234", b"56789")) == b"0123456789"
    for length in ("11", "99999999999999999999", "-1", "x", "1_0"):
        with pytest.raises(BodyTooLarge):
            read(Request([("content-length", length)]), Body())
    with pytest.raises(BodyTooLarge):
        read(Request(), Body(b"01234", b"56789", b"0", stuck=True))


@pytest.mark.parametrize("headers", [[("content-length", "10")], []])
def test_a_body_that_does_not_come_ends_the_request(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(http.TooSlow):
        read(Request(headers), Body(b"01", stuck=True), seconds=0.05)


def test_no_query_is_taken() -> None:
    http.refuse_query(Request())  # type: ignore[arg-type]
    for query in ("a=1", "a", "a=%00", "&&a="):
        with pytest.raises(InvalidInput):
            http.refuse_query(Request(query_string=query))  # type: ignore[arg-type]


def test_the_address_is_the_peers_unless_a_trusted_proxy_names_another() -> None:
    forged = [("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x-forwarded-for", "3.3.3.3")]
    seen = [http.client_address(Request(forged), n) for n in range(5)]  # type: ignore[arg-type]
    assert seen == ["10.0.0.9", "3.3.3.3", "2.2.2.2", "1.1.1.1", "10.0.0.9"]
    six = Request(client="[2001:db8::1]:4711")
    assert http.client_address(six, 0) == "2001:db8::1"  # type: ignore[arg-type]


def test_the_senders_number_of_a_request_is_kept_if_it_is_one() -> None:
    assert http.request_id(Request([("x-request-id", "abc-12345")])) == "abc-12345"  # type: ignore[arg-type]
    for bad in ("short", "x" * 65, "line\nbreak", "é" * 9):
        assert http.request_id(Request([("x-request-id", bad)])) != bad  # type: ignore[arg-type]
