"""Many plain sockets to an HTTP server: one request on its way in each, signed as it leaves."""

import hashlib
import hmac
import select
import socket
import time
from collections import deque

import msgspec

from portal.bench.connections import Item, Reply
from portal.bench.workloads import Answer, Refusal

_CHUNK = 1 << 15
_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "


class _Outcome(msgspec.Struct):
    order: Answer | None = None
    error: Refusal | None = None


class _Body(msgspec.Struct):
    """Any body of the gateway: an order, an error, or the outcomes of a batch."""

    order_id: int = 0
    status: str = ""
    trades: list[int] = []
    error: Refusal | None = None
    results: list[_Outcome] | None = None


_DECODE = msgspec.json.Decoder(_Body, strict=False).decode


class Signer:
    """Who signs, and where to: all of a request's head that is known before it is sent."""

    __slots__ = ("_head", "_secret", "_text")

    def __init__(self, key: bytes, secret: bytes, path: bytes) -> None:
        self._secret = secret
        self._text = b"portal-request-v1\n%b\nPOST\n%b\n\n" % (key, path)
        self._head = (
            b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"X-Portal-Key: %b\r\nX-Portal-Time: "
        ) % (path, key)

    def signed(self, name: bytes, body: bytes) -> bytes:
        """A request as it goes over the wire, signed now. `name` is its key of idempotency."""
        at = b"%d" % (time.time_ns() // 1_000_000)
        digest = hashlib.sha256(body).hexdigest().encode()
        text = b"%b%b\n\n%b\n%b" % (self._text, at, name, digest)
        signature = hmac.digest(self._secret, text, "sha256").hex().encode()
        return (
            b"%b%b\r\nIdempotency-Key: %b\r\nX-Portal-Signature: %b\r\nContent-Length: %d\r\n\r\n%b"
        ) % (self._head, at, name, signature, len(body), body)


class Request:
    """A request by its slot, of so many orders; it is signed when it leaves."""

    __slots__ = ("body", "count", "name", "number", "signer")

    def __init__(self, number: int, count: int, signer: Signer, name: bytes, body: bytes) -> None:
        self.number, self.count, self.signer = number, count, signer
        self.name, self.body = name, body


class HttpConnections:
    """As `Connections`, for requests. What finds no free socket waits for one, its clock running.

    Raises ConnectionError when the server closes a connection.
    """

    def __init__(self, port: int, count: int) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            self._sockets[connection.fileno()] = connection
            self._poll.register(connection.fileno(), select.EPOLLIN)
        self._free = deque(self._sockets)
        self._waiting: deque[Request] = deque()
        self._out: dict[int, bytes] = {}
        self._in: dict[int, bytes] = {}
        self._asked: dict[int, Request] = {}

    def close(self) -> None:
        """Close them all."""
        self._poll.close()
        for connection in self._sockets.values():
            connection.close()

    def send(self, requests: list[Request]) -> None:
        """Send requests, each on a socket of its own, as far as there are free ones."""
        self._waiting.extend(requests)
        while self._waiting and self._free:
            number, request = self._free.popleft(), self._waiting.popleft()
            self._asked[number] = request
            self._write(number, request.signer.signed(request.name, request.body))

    def _write(self, number: int, data: bytes) -> None:
        try:
            sent = self._sockets[number].send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._out[number] = data[sent:]
            self._poll.modify(number, select.EPOLLIN | select.EPOLLOUT)
        elif number in self._out:
            del self._out[number]
            self._poll.modify(number, select.EPOLLIN)

    def receive(self, seconds: float) -> list[tuple[int, Reply]]:
        """What arrives within `seconds`, as soon as anything does: (nanosecond, answer)."""
        replies: list[tuple[int, Reply]] = []
        for number, event in self._poll.poll(seconds):
            if event & select.EPOLLOUT:
                self._write(number, self._out[number])
            if event & ~select.EPOLLOUT:
                self._read(number, replies)
        if self._waiting and self._free:
            self.send([])
        return replies

    def _read(self, number: int, replies: list[tuple[int, Reply]]) -> None:
        chunk = self._sockets[number].recv(_CHUNK)
        if not chunk:
            raise ConnectionError("the gateway closed the connection")
        begun = self._in.pop(number, b"")
        body = _body_of(begun + chunk if begun else chunk)
        if body is None:
            self._in[number] = begun + chunk
            return
        request = self._asked.pop(number)
        self._free.append(number)
        replies.append((time.perf_counter_ns(), _reply(request, body)))


def _body_of(data: bytes) -> bytes | None:
    """The body of a whole answer, None while some of it is missing."""
    end = data.find(_END)
    if end < 0:
        return None
    at = data.find(_LENGTH, 0, end)
    if at < 0:
        at = data[:end].lower().index(_LENGTH)
    at += len(_LENGTH)
    length = int(data[at : data.index(b"\r", at)])
    body = data[end + len(_END) :]
    return body if len(body) >= length else None


def _reply(request: Request, body: bytes) -> Reply:
    """The outcome of each of the request's orders; an error of the whole is everybody's."""
    told = _DECODE(body)
    if told.results is not None:
        return Reply(request.number, results=[Item(one.order, one.error) for one in told.results])
    if told.error is not None:
        return Reply(request.number, results=[Item(None, told.error)] * request.count)
    answer = Answer(told.order_id, told.status, told.trades)
    return Reply(request.number, result=answer)
