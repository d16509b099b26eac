"""The client that keeps many commands under way, against engines that misbehave in every way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import orjson
import pytest

from portal.core.errors import Conflict, TooManyRequests, Unavailable
from portal.core.settings import Settings
from portal.engine import frames
from portal.engine.stream_client import MOST_COMMANDS, StreamClient

Frame = dict[str, Any]


class Script:
    """An engine's end of the line: a test reads its frames and answers as it likes."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[Line] = asyncio.Queue()
        self.server: asyncio.Server | None = None

    async def listen(self, port: int = 0) -> int:
        self.server = await asyncio.start_server(self._greet, "127.0.0.1", port)
        return int(self.server.sockets[0].getsockname()[1])

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        assert await line.read() == {"token": "t" * 32}
        await self.connections.put(line)


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self) -> Frame:
        header = await self.reader.readexactly(4)
        return frames.unpack(await self.reader.readexactly(frames.length_of(header)))

    def write(self, message: Frame) -> None:
        self.writer.write(frames.pack(message))

    async def echo(self, frame: Frame | None = None) -> int:
        """Answer a frame with its own commands; how many there were."""
        frame = frame or await self.read()
        self.write({"id": frame["id"], "results": [{"result": c} for c in frame["commands"]]})
        return len(frame["commands"])


@contextlib.asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[Script, StreamClient, Line]]:
    script = Script()
    port = await script.listen()
    settings = Settings(_env_file=None, engine_port=port, engine_token="t" * 32)
    client = StreamClient(settings, **options)
    client.start()
    line = await script.connections.get()
    await until(lambda: client.connected)
    try:
        yield script, client, line
    finally:
        await client.close()
        assert script.server is not None
        script.server.close()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def call() -> None:
        asyncio.run(asyncio.wait_for(test(), 20))

    call.__name__ = test.__name__
    return call


def command(number: int) -> bytes:
    return orjson.dumps({"kind": "x", "key": f"k{number}", "n": number})


def ask(client: StreamClient, *numbers: int, keyed: bool = True) -> Awaitable[list[Any]]:
    return client.ask([command(n) for n in numbers], keyed=keyed)


@run
async def test_what_comes_in_one_turn_leaves_in_one_frame() -> None:
    async with connected() as (_, client, line):
        asked = [ask(client, n) for n in range(250)]
        sizes = [await line.echo() for _ in range(3)]
        assert sizes == [MOST_COMMANDS, MOST_COMMANDS, 50]
        answers = await asyncio.gather(*asked)
        assert [answer[0]["n"] for answer in answers] == list(range(250))


@run
async def test_answers_in_any_order_reach_their_askers() -> None:
    async with connected() as (_, client, line):
        asked, read = [], []
        for n in range(8):
            asked.append(ask(client, 10 * n, 10 * n + 1))
            read.append(await line.read())
        for frame in (read[3], read[0], read[7], *read[4:7], *read[1:3]):
            await line.echo(frame)
        for n, answer in enumerate(await asyncio.gather(*asked)):
            assert [one["n"] for one in answer] == [10 * n, 10 * n + 1]


@run
async def test_a_refusal_is_an_answer_of_its_own_command_only() -> None:
    async with connected() as (_, client, line):
        asked = ask(client, 1, 2, 3)
        frame = await line.read()
        refusal = {"code": "conflict", "message": "No.", "field": "price"}
        line.write(
            {
                "id": frame["id"],
                "results": [{"result": {"n": 1}}, {"error": refusal}, {"result": {}}],
            }
        )
        first, second, third = await asked
        assert first == {"n": 1}
        assert isinstance(second, Conflict)
        assert second.field == "price"
        assert third == {}


@run
async def test_a_whole_frame_can_be_refused() -> None:
    async with connected() as (_, client, line):
        asked = ask(client, 1, 2)
        frame = await line.read()
        line.write({"id": frame["id"], "error": {"code": "too_many_requests", "message": "Busy."}})
        assert [type(answer) for answer in await asked] == [TooManyRequests, TooManyRequests]


@run
async def test_commands_gather_while_many_frames_are_out() -> None:
    async with connected() as (_, client, line):
        held, asked = [], []
        for n in range(8):
            asked.append(ask(client, n))
            held.append(await line.read())
        asked += [ask(client, n) for n in range(8, 28)]
        await line.echo(held[0])
        gathered = await line.read()
        assert len(gathered["commands"]) == 20
        for frame in (*held[1:], gathered):
            await line.echo(frame)
        assert len(await asyncio.gather(*asked)) == 28


@run
async def test_keyed_commands_are_sent_again_over_the_next_connection() -> None:
    async with connected() as (script, client, line):
        keyed, other = ask(client, 1, 2), ask(client, 3, keyed=False)
        sent = await line.read()
        assert len(sent["commands"]) == 3
        line.writer.transport.abort()
        assert isinstance((await other)[0], Unavailable)
        line = await script.connections.get()
        frame = await line.read()
        assert [c["n"] for c in frame["commands"]] == [1, 2]
        assert frame["id"] > sent["id"]
        await line.echo(frame)
        assert [one["n"] for one in await keyed] == [1, 2]


@run
async def test_who_asks_while_nobody_is_there_is_told_at_once() -> None:
    async with connected() as (script, client, line):
        assert script.server is not None
        script.server.close()
        line.writer.transport.abort()
        await until(lambda: not client.connected)
        assert isinstance((await ask(client, 1))[0], Unavailable)


@run
async def test_an_answer_that_is_late_reaches_nobody() -> None:
    async with connected(timeout_seconds=0.3) as (script, client, line):
        late = ask(client, 1)
        frame = await line.read()
        assert isinstance((await late)[0], Unavailable)
        line = await script.connections.get()
        # The old connection is gone; a number of its time on the new one is nobody's.
        await line.echo(frame)
        now = ask(client, 2)
        await line.echo()
        assert (await now)[0]["n"] == 2


@run
async def test_an_asker_that_went_away_changes_nothing() -> None:
    async with connected() as (_, client, line):
        done: list[str] = []
        gone = client.ask([command(1)], keyed=True, done=lambda: done.append("gone"))
        stays = ask(client, 2)
        frame = await line.read()
        gone.cancel()
        assert done == []
        await line.echo(frame)
        assert (await stays)[0]["n"] == 2
        assert done == ["gone"]
        assert client.waiting == 0


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x03{x}",
        b"\x00\x00\x00\x02[]",
        frames.pack({"id": 1, "results": []}),
        frames.pack({"id": 1, "results": [{"result": {}}] * 3}),
    ],
)
def test_an_engine_that_says_nonsense_is_left(nonsense: bytes) -> None:
    @run
    async def leave() -> None:
        async with connected() as (script, client, line):
            asked = ask(client, 1, 2)
            await line.read()
            line.writer.write(nonsense)
            line = await script.connections.get()
            await line.echo()
            assert [one["n"] for one in await asked] == [1, 2]

    leave()


@run
async def test_frames_may_arrive_byte_by_byte() -> None:
    async with connected() as (_, client, line):
        asked = ask(client, 1)
        frame = await line.read()
        reply = frames.pack({"id": frame["id"], "results": [{"result": {"n": 1}}]})
        for at in range(len(reply)):
            line.writer.write(reply[at : at + 1])
            await line.writer.drain()
            await asyncio.sleep(0)
        assert (await asked)[0]["n"] == 1


@run
async def test_an_engine_that_does_not_read_holds_commands_back() -> None:
    async with connected(timeout_seconds=30) as (_, client, line):
        line.reader._transport.pause_reading()  # type: ignore[attr-defined]
        long = [orjson.dumps({"kind": "x", "n": n, "pad": "x" * 40_000}) for n in range(400)]
        asked = [client.ask([one], keyed=True) for one in long]
        await until(lambda: client._wire is not None and client._wire.full)
        assert client.waiting == 400
        line.reader._transport.resume_reading()  # type: ignore[attr-defined]
        answered = 0
        while answered < 400:
            frame = await line.read()
            reply = [{"result": {"n": one["n"]}} for one in frame["commands"]]
            line.write({"id": frame["id"], "results": reply})
            answered += len(reply)
        assert [one[0]["n"] for one in await asyncio.gather(*asked)] == list(range(400))
