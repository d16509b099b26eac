"""How the engine and its clients talk: length-prefixed JSON frames over TCP.

A frame is a 4-byte big-endian length and that many bytes of JSON. The first frame of a client
is `{"token"}`; then `{"id", "command"}`, answered in any order by `{"id", "result"}` or
`{"id", "error"}`, and `{"id", "commands"}` (each a command of its own), answered by
`{"id", "results"}` with a `{"result"}` or `{"error"}` for each.
"""

import socket
import struct
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta, Raw, Struct

MAX_FRAME = 1_000_000
HEADER = struct.Struct(">I")


class BadFrame(Exception):
    """The other side does not speak this protocol."""


class Request(Struct):
    """One command or several, as the engine gets them; it reads the commands themselves later."""

    # It is written back in the answer: what can't be written must not be read.
    id: Annotated[int, Meta(ge=0, le=2**53)]
    command: Raw = Raw(b"null")
    commands: list[Raw] | None = None


class Hello(Struct):
    """The first frame of a client."""

    token: str


REQUEST = msgspec.json.Decoder(Request)
HELLO = msgspec.json.Decoder(Hello)


def pack(message: dict[str, Any]) -> bytes:
    """A message as a frame."""
    body = orjson.dumps(message)
    return HEADER.pack(len(body)) + body


def length_of(header: bytes) -> int:
    """The length a header announces. Raises BadFrame beyond MAX_FRAME."""
    return length_at(header, 0)


def length_at(data: bytes | memoryview, start: int) -> int:
    """The length that the header at `start` announces. Raises BadFrame beyond MAX_FRAME."""
    (length,) = HEADER.unpack_from(data, start)
    if length > MAX_FRAME:
        raise BadFrame(f"a frame of {length} bytes")
    return int(length)


def unpack(body: bytes) -> dict[str, Any]:
    """The message of a frame. Raises BadFrame."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadFrame("not JSON") from error
    if not isinstance(message, dict):
        raise BadFrame("not an object")
    return message


def receive(connection: socket.socket, request_id: int) -> dict[str, Any]:
    """The answer to a request; those to others are passed over. Raises OSError, BadFrame."""
    while True:
        length = length_of(_exactly(connection, HEADER.size))
        reply = unpack(_exactly(connection, length))
        if reply.get("id") == request_id:
            return reply


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionError("the engine closed the connection")
        parts += part
    return bytes(parts)
