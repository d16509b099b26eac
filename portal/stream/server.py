"""The stream process: a WebSocket server fed by PostgreSQL notifications of the engine."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import asdict
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any

import orjson
import psycopg
import structlog
from sqlalchemy.exc import DBAPIError
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Origin

from portal.board import following as board
from portal.core.db import Database, libpq_url
from portal.core.errors import InvalidInput, NotFound, PortalError, Unauthorized
from portal.core.settings import Settings
from portal.engine.store import CHANNEL
from portal.orders.offers import book
from portal.stream.hub import MAX_TOPICS, Hub, Message, Subscriber, offer_book
from portal.users.sessions import find_session

_BOOK_SECONDS = 0.2
_RETRY_SECONDS = 1.0
_MAX_MESSAGE = 4_096
_log = structlog.get_logger("stream")


class StreamServer:
    """Serves live updates until cancelled. Sessions are looked at again every few seconds."""

    def __init__(self, settings: Settings, *, session_seconds: float = 30.0) -> None:
        self._settings = settings
        self._session_seconds = session_seconds
        self._database = Database(settings.required_database_url, pool_size=4)
        self._hub = Hub()
        self._stale: set[str] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Listen to the engine and to clients."""
        origins = [Origin(self._settings.base_url.rstrip("/")), None]
        async with serve(
            self._serve_client,
            self._settings.bind_host,
            self._settings.stream_port,
            origins=origins,
            max_size=_MAX_MESSAGE,
            ping_interval=20,
            process_request=_health,
        ):
            _log.info("serving", port=self._settings.stream_port)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._publish_books())
                tasks.create_task(self._end_old_sessions())

    async def _listen(self) -> None:
        url = libpq_url(self._settings.required_database_url)
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    await connection.execute(f"LISTEN {board.CHANNEL}")
                    self._note_people({"all": True})
                    self._note_books({"all": True})
                    async for notice in connection.notifies():
                        note = self._note_people if notice.channel == CHANNEL else self._note_books
                        note(orjson.loads(notice.payload))
            await asyncio.sleep(_RETRY_SECONDS)

    def _note_people(self, notice: dict[str, Any]) -> None:
        """The engine has changed something of these people's."""
        if notice.get("all"):
            self._hub.send_anything()
        else:
            self._hub.send_changes((user, what, id_) for user, what, id_ in notice["people"])

    def _note_books(self, notice: dict[str, Any]) -> None:
        """The board, which books are read from, shows other books of these markets."""
        self._stale |= self._hub.markets() if notice.get("all") else set(notice["markets"])
        self._wake.set()

    async def _publish_books(self) -> None:
        """Send fresh books of changed markets, a few times a second at most."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            markets, self._stale = self._stale & self._hub.markets(), set()
            for market in sorted(markets):
                with contextlib.suppress(PortalError):
                    self._hub.send_book(market, await self._book(market))
            await asyncio.sleep(_BOOK_SECONDS)

    async def _end_old_sessions(self) -> None:
        """A session that was ended elsewhere hears nothing more, also on an open connection."""
        while True:
            await asyncio.sleep(self._session_seconds)
            for subscriber in self._hub.logged_in():
                with contextlib.suppress(DBAPIError):
                    if not await self._authenticate(subscriber, subscriber.token):
                        subscriber.log_out()

    async def _book(self, market: str) -> Message:
        def read() -> Message:
            with self._database.reader() as session:
                return asdict(book(session, market))

        return await asyncio.to_thread(read)

    async def _serve_client(self, connection: ServerConnection) -> None:
        subscriber = Subscriber()
        self._hub.add(subscriber)
        sender = asyncio.create_task(_send_all(connection, subscriber))
        try:
            await self._authenticate(subscriber, _cookie_token(connection))
            async for raw in connection:
                try:
                    await self._handle(subscriber, _parse(raw))
                except PortalError as error:
                    subscriber.offer(("error",), {"error": error.as_dict()})
        except ConnectionClosed:
            pass
        finally:
            self._hub.remove(subscriber)
            sender.cancel()

    async def _handle(self, subscriber: Subscriber, message: Message) -> None:
        match message.get("op"):
            case "auth":
                if not await self._authenticate(subscriber, str(message.get("token", ""))):
                    raise Unauthorized("This session has ended.", field="token")
            case "subscribe":
                await self._subscribe(subscriber, str(message.get("topic", "")))
            case "unsubscribe":
                subscriber.topics.pop(str(message.get("topic", "")), None)
            case other:
                raise InvalidInput(
                    "op must be auth, subscribe or unsubscribe.", field="op", value=other
                )

    async def _subscribe(self, subscriber: Subscriber, topic: str) -> None:
        if "\x00" in topic:
            raise InvalidInput("A topic has no NUL character.", field="topic")
        if len(subscriber.topics) >= MAX_TOPICS:
            raise InvalidInput(f"More than {MAX_TOPICS} topics.", field="topic")
        if topic == "me":
            if subscriber.user_id is None:
                raise Unauthorized("Log in to follow your own trades.", field="topic")
            subscriber.topics[topic] = 0
        elif topic.startswith("book:"):
            snapshot = await self._book(topic.removeprefix("book:")[:40])
            subscriber.topics[topic] = 0
            offer_book(subscriber, topic, snapshot)
        else:
            raise NotFound("There is no such topic.", field="topic", value=topic)

    async def _authenticate(self, subscriber: Subscriber, token: str) -> bool:
        if not token:
            return False

        def read() -> int | None:
            with self._database.reader() as session:
                found = find_session(session, token)
                return found[1].id if found else None

        subscriber.user_id, subscriber.token = await asyncio.to_thread(read), token
        return subscriber.user_id is not None


def _health(connection: ServerConnection, request: Request) -> Response | None:
    """Answer a plain GET /healthz; everything else goes on to the WebSocket handshake."""
    if request.path == "/healthz":
        return connection.respond(HTTPStatus.OK, "ok\n")
    return None


async def _send_all(connection: ServerConnection, subscriber: Subscriber) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in _messages(subscriber):
            await connection.send(orjson.dumps(message).decode())


async def _messages(subscriber: Subscriber) -> AsyncIterator[Message]:
    while True:
        yield await subscriber.next()


def _parse(raw: str | bytes) -> Message:
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise InvalidInput("Messages must be JSON objects.", field="message") from None
    if not isinstance(message, dict):
        raise InvalidInput("Messages must be JSON objects.", field="message")
    return message


def _cookie_token(connection: ServerConnection) -> str:
    request = connection.request
    jar = SimpleCookie(request.headers.get("Cookie", "") if request else "")
    return jar["otc_session"].value if "otc_session" in jar else ""


def main(settings: Settings) -> None:
    """Run the stream role until SIGTERM or SIGINT."""

    async def run() -> None:
        task = asyncio.ensure_future(StreamServer(settings).run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
