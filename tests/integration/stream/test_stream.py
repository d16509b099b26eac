"""Live updates: a real WebSocket client, the real engine, notifications in between."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from portal.core.db import Database
from portal.core.settings import Settings
from portal.engine.local import LocalEngine
from portal.stream.server import StreamServer
from portal.users.models import User
from portal.users.sessions import close_session, open_session
from tests.factories.board import ShownEngine
from tests.factories.engine import define_market, deposit, place_order
from tests.factories.markets import add_market

pytestmark = pytest.mark.postgres
Scenario = Callable[[str, ShownEngine], Coroutine[Any, Any, None]]


@pytest.fixture
def market(database: Database) -> None:
    with database.transaction() as session:
        add_market(session)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    task = asyncio.create_task(StreamServer(settings, session_seconds=0.2).run())
    url = f"ws://127.0.0.1:{settings.stream_port}/"
    while True:
        try:
            async with connect(url):
                break
        except OSError:
            await asyncio.sleep(0.02)
    yield url
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def play(settings: Settings, database: Database, market: None) -> Callable[[Scenario], None]:
    """Runs a scenario against a stream server and an engine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    engine = ShownEngine(LocalEngine(database), database)
    engine.submit(define_market())
    engine.submit(deposit(units=10**12))

    def run(scenario: Scenario) -> None:
        async def whole() -> None:
            async with running(settings.model_copy(update={"stream_port": port})) as url:
                await asyncio.wait_for(scenario(url, engine), 20)

        asyncio.run(whole())
        engine.close()

    return run


async def say(client: ClientConnection, **message: Any) -> None:
    await client.send(orjson.dumps(message).decode())


async def hear(client: ClientConnection) -> dict[str, Any]:
    message = orjson.loads(await client.recv())
    assert isinstance(message, dict)
    return message


def test_a_book_arrives_at_once_and_again_when_it_changes(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(url: str, engine: ShownEngine) -> None:
        async with connect(url) as client:
            await say(client, op="subscribe", topic="book:USDT-EUR")
            first = await hear(client)
            assert (first["type"], first["data"]["asks"]) == ("snapshot", [])
            await asyncio.to_thread(engine.submit, place_order())
            while not (second := await hear(client))["data"]["asks"]:
                pass
            assert second["seq"] > second["prevSeq"]
            assert second["data"]["asks"][0]["price"] == "0.9200"

    play(scenario)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("nonsense", "message"),
        ("[]", "message"),
        ('{"op": "dance"}', "op"),
        ('{"op": "subscribe", "topic": "weather"}', "topic"),
        ('{"op": "subscribe", "topic": "book:DOGE-EUR"}', "market"),
        ('{"op": "subscribe", "topic": "book:\\u0000"}', "topic"),
        ('{"op": "subscribe", "topic": "me"}', "topic"),
        ('{"op": "auth", "token": "stolen"}', "token"),
    ],
)
def test_bad_messages_get_an_error_that_names_the_field(
    play: Callable[[Scenario], None], message: str, field: str
) -> None:
    async def scenario(url: str, engine: ShownEngine) -> None:
        async with connect(url) as client:
            await client.send(message)
            assert (await hear(client))["error"]["field"] == field

    play(scenario)


def test_a_page_of_another_origin_is_refused(play: Callable[[Scenario], None]) -> None:
    async def scenario(url: str, engine: ShownEngine) -> None:
        with pytest.raises(InvalidStatus):
            await connect(url, origin="https://evil.test")

    play(scenario)


def logged_in(database: Database, *names: str) -> tuple[list[int], list[str]]:
    """Traders with a session each: their ids and tokens."""
    with database.transaction() as session:
        people = [
            User(
                username=name,
                email=f"{name}@example.test",
                first_name=name,
                last_name="X",
                active=True,
                kind="trader",
            )
            for name in names
        ]
        session.add_all(people)
        session.flush()
        tokens = [open_session(session, person, hours=1).token for person in people]
        return [person.id for person in people], tokens


def test_a_session_that_was_ended_hears_nothing_more(
    play: Callable[[Scenario], None], database: Database
) -> None:
    (ann_id,), (token,) = logged_in(database, "ann")

    async def scenario(url: str, engine: ShownEngine) -> None:
        async with connect(url) as client:
            await say(client, op="auth", token=token)
            await say(client, op="subscribe", topic="me")
            await asyncio.sleep(0.3)
            await asyncio.to_thread(engine.submit, deposit(ann_id))
            assert (await hear(client))["what"] == "balance"
            with database.transaction() as session:
                close_session(session, token)
            await asyncio.sleep(1)
            await asyncio.to_thread(engine.submit, deposit(ann_id))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(hear(client), 0.5)

    play(scenario)


def test_people_hear_of_their_own_changes_only(
    play: Callable[[Scenario], None], database: Database
) -> None:
    ids, tokens = logged_in(database, "ann", "ben")

    async def scenario(url: str, engine: ShownEngine) -> None:
        cookie = {"Cookie": f"otc_session={tokens[0]}"}
        async with connect(url, additional_headers=cookie) as ann, connect(url) as ben:
            await say(ann, op="subscribe", topic="me")
            await say(ben, op="auth", token=tokens[1])
            await say(ben, op="subscribe", topic="me")
            await asyncio.sleep(0.3)
            await asyncio.to_thread(engine.submit, deposit(ids[0]))
            await asyncio.to_thread(engine.submit, deposit(ids[1]))
            for client in (ann, ben):
                heard = await hear(client)
                assert (heard["topic"], heard["what"]) == ("me", "balance")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(hear(ann), 0.5)

    play(scenario)
