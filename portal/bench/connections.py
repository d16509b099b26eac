"""A few plain sockets to the engine, for a load that must cost little."""

import select
import socket
import struct
import time

import msgspec

from portal.bench.workloads import Answer, Refusal
from portal.engine.frames import HEADER, pack

_CHUNK = 1 << 18


class Item(msgspec.Struct):
    """The outcome of one command of a frame."""

    result: Answer | None = None
    error: Refusal | None = None


class Reply(msgspec.Struct):
    """A frame that came back: one outcome, or several in order."""

    id: int
    result: Answer | None = None
    error: Refusal | None = None
    results: list[Item] | None = None

    def items(self) -> list[Item]:
        """The outcomes of the frame's commands, in order."""
        return self.results if self.results is not None else [Item(self.result, self.error)]


_DECODE = msgspec.json.Decoder(Reply).decode
_LENGTH = struct.Struct(">I").unpack_from


class Connections:
    """Sends frames and hands over what comes back. Raises ConnectionError when one is closed."""

    def __init__(self, port: int, token: str, count: int) -> None:
        self._sockets = [self._connect(port, token) for _ in range(count)]
        self._out = [bytearray() for _ in range(count)]
        self._in = [bytearray() for _ in range(count)]
        self._places = {s.fileno(): place for place, s in enumerate(self._sockets)}
        self._poll = select.epoll()
        for number in self._places:
            self._poll.register(number, select.EPOLLIN)
        self._turn = 0

    @staticmethod
    def _connect(port: int, token: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(pack({"token": token}))
        connection.setblocking(False)
        return connection

    def close(self) -> None:
        """Close them all."""
        self._poll.close()
        for connection in self._sockets:
            connection.close()

    def keyed(self, key: bytes, text: bytes) -> bytes:
        """The whole command of its JSON from behind the opening brace."""
        return b'{"key":"%b",%b' % (key, text)

    def message(self, number: int, texts: list[bytes]) -> bytes:
        """One command, or several, as a frame named `number`."""
        if len(texts) == 1:
            text = b'{"id":%d,"command":%b}' % (number, texts[0])
        else:
            text = b'{"id":%d,"commands":[%b]}' % (number, b",".join(texts))
        return HEADER.pack(len(text)) + text

    def send(self, messages: list[bytes]) -> None:
        """Write frames in one go; the connections take turns."""
        place = self._turn = (self._turn + 1) % len(self._sockets)
        self._out[place] += b"".join(messages)
        self._flush(place)

    def _flush(self, place: int) -> None:
        out = self._out[place]
        number = self._sockets[place].fileno()
        try:
            sent = self._sockets[place].send(out)
        except BlockingIOError:
            sent = 0
        del out[:sent]
        self._poll.modify(number, select.EPOLLIN | (select.EPOLLOUT if out else 0))

    def receive(self, seconds: float) -> list[tuple[int, Reply]]:
        """What arrives within `seconds`, as soon as anything does: (nanosecond, frame)."""
        replies: list[tuple[int, Reply]] = []
        for number, event in self._poll.poll(seconds):
            place = self._places[number]
            if event & select.EPOLLOUT:
                self._flush(place)
            if event & ~select.EPOLLOUT:
                self._read(place, replies)
        return replies

    def _read(self, place: int, replies: list[tuple[int, Reply]]) -> None:
        chunk = self._sockets[place].recv(_CHUNK)
        if not chunk:
            raise ConnectionError("the engine closed the connection")
        now = time.perf_counter_ns()
        data = self._in[place]
        data += chunk
        at, end = 0, len(data)
        with memoryview(data) as view:
            while end - at >= HEADER.size:
                (length,) = _LENGTH(data, at)
                begin = at + HEADER.size
                if end - begin < length:
                    break
                at = begin + length
                replies.append((now, _DECODE(view[begin:at])))
        del data[:at]
