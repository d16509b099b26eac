"""The gateway's RSGI application: who may, what is asked, and the answer."""

import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import structlog
from pydantic import Field

from portal.api.reading import MAX_BODY_BYTES, NUL, check_content, load_json, parse_json, validate
from portal.api.shapes import IDEMPOTENCY_HEADER, Body, Id, IdempotencyHeaders
from portal.core.db import Database
from portal.core.errors import NotFound, PortalError, Unavailable
from portal.core.sealed import Sealer
from portal.core.settings import Settings, load_settings
from portal.engine.client import EngineClient
from portal.engine.stream_client import Answer, StreamClient
from portal.gateway import http
from portal.gateway.changes import Changes
from portal.gateway.compliance import Compliance
from portal.gateway.http import Exchange, Scope
from portal.gateway.orders import Orders
from portal.gateway.plain import PlainBody, plain_bodies, plain_body
from portal.gateway.records import Records
from portal.orders.service import OrderDesk
from portal.orders.shapes import OrderBody
from portal.plugin_host.host import PluginHost
from portal.users import signing
from portal.users.signing import TRADE, LiveKey, Replays, Signed

MAX_BATCH_BYTES = 512 * 1024
MOST_ORDERS = 100
DATABASE_THREADS = 8
JSON = "application/json"
_PREFIX = "/api/v1"
_LOOK_SECONDS = 0.5
# Requests must not wait long for their turn behind threads that read the database.
_SWITCH_SECONDS = 0.0005
_log = structlog.get_logger(__name__)


class BatchBody(Body):
    """Up to 100 orders, each of its own."""

    orders: Annotated[list[Any], Field(min_length=1, max_length=MOST_ORDERS)]


class CancelBody(Body):
    """Up to 100 orders to take out of the book."""

    order_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_ORDERS)]


# Gets the body and its media type.
Handler = Callable[[LiveKey, Signed, bytes, str], Awaitable[tuple[int, Any]]]


class Gateway:
    """One process of the gateway; granian calls it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sealer = Sealer(settings.master_key.get_secret_value())
        self._database = Database(settings.required_database_url, pool_size=DATABASE_THREADS)
        self._plugins = PluginHost(settings, self._database)
        self._replays = Replays(settings.signature_window_ms)
        self._threads = ThreadPoolExecutor(DATABASE_THREADS, "gateway")
        self._tasks: list[asyncio.Task[None]] = []
        self._started: asyncio.Task[None] | None = None
        self._routes: dict[str, tuple[Handler, int]] = {
            f"{_PREFIX}/orders": (self._place, MAX_BODY_BYTES),
            f"{_PREFIX}/orders/batch": (self._place_batch, MAX_BATCH_BYTES),
            f"{_PREFIX}/orders/cancel-batch": (self._cancel_batch, MAX_BODY_BYTES),
        }

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, before the first request."""
        self._started = loop.create_task(self.start())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """End, after the last one."""
        if not loop.is_running():
            loop.run_until_complete(self.stop())

    async def start(self) -> None:
        """Connect to the engine and listen for changes."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        settings = self._settings
        self.engine = StreamClient(settings)
        self._changes = Changes(
            settings.required_database_url, lambda *what: self._changed(*what), self._forget
        )
        self._records = Records(
            self._database, self._sealer, self._plugins, self._threads,
            lambda: self._changes.hearing,
        )  # fmt: skip
        self._compliance = Compliance(self._database, self._plugins, self._threads)
        # The desk's own engine is never asked: commands leave over the stream client.
        desk = OrderDesk(
            settings, self._database, EngineClient(settings), self._plugins, self._sealer
        )
        self.orders = Orders(
            settings, self._sealer, desk, self._records, self._compliance, self.engine,
            self._threads,
        )  # fmt: skip
        self._bodies = http.Bodies()
        self.engine.start()
        for work in (self._changes.run(), self._bodies.watch(), _end_with(os.getppid())):
            self._tasks.append(asyncio.create_task(work))
        # What is here now stays: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    async def stop(self) -> None:
        """Let go of engine and database."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.engine.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._database.dispose()

    def _changed(self, what: str, which: str) -> None:
        self._records.changed(what, which)
        if what == "person":
            self._compliance.forget(int(which))
        elif what != "key":
            self._compliance.clear()

    def _forget(self) -> None:
        self._records.clear()
        self._compliance.clear()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        number = http.request_id(scope)
        try:
            status, content = await self._answer(scope, exchange)
        except PortalError as error:
            http.answer_error(exchange, error, number)
        except Exception:
            http.answer_error(exchange, http.unexpected(number), number)
        else:
            http.answer(exchange, status, content, number)

    async def _answer(self, scope: Scope, exchange: Exchange) -> tuple[int, Any]:
        if self._started is not None and not self._started.done():
            await asyncio.shield(self._started)
        if scope.path == "/health":
            return self._health()
        route = self._routes.get(scope.path)
        if route is None or scope.proto != "http":
            hint = f"The gateway takes orders; see {_PREFIX}/openapi.json of the portal."
            raise NotFound("There is nothing at this address.", hint=hint)
        if scope.method != "POST":
            raise WrongMethod("The gateway takes POST here.", field="method", value=scope.method)
        handler, most = route
        body = await self._bodies.read(scope, exchange, most)
        signed, key = await self._identify(scope, body)
        http.refuse_query(scope)
        return await handler(key, signed, body, http.mimetype(scope))

    async def _identify(self, scope: Scope, body: bytes) -> tuple[Signed, LiveKey]:
        """The key that signed the request. Raises as the API does."""
        headers = scope.headers
        signed = signing.read_headers(headers.get)
        signing.check_time(signed, self._settings.signature_window_ms)
        key = await self._records.key(signed.key)
        text = signing.signed_text(signed, scope.method, scope.path, scope.query_string, body)
        signing.check_signature(key, signed, text)
        if key.networks:
            proxies = self._settings.trusted_proxies
            signing.check_address(key, http.client_address(scope, proxies))
        self._replays.check(signed)
        key.require(TRADE)
        return signed, key

    async def _place(
        self, key: LiveKey, signed: Signed, raw: bytes, mimetype: str
    ) -> tuple[int, Any]:
        plain = plain_body(raw) if mimetype == JSON else None
        if plain is not None:
            name = plain.client_id or signed.idempotency_key
            ready = self.orders.decide_plain(key, plain, name)
            if ready is not None:
                return 201, await self.orders.send(key, ready)
        body = validate(OrderBody, parse_json(raw, mimetype))
        if body.client_id is None:
            _require_idempotency_key(signed)
        return 201, await self.orders.place(key, body, body.client_id or signed.idempotency_key)

    async def _place_batch(
        self, key: LiveKey, signed: Signed, raw: bytes, mimetype: str
    ) -> tuple[int, Any]:
        def name(body: OrderBody | PlainBody, at: int) -> str:
            if body.client_id is not None:
                return body.client_id
            return f"{signed.idempotency_key}.{at}" if signed.idempotency_key else ""

        bodies: Sequence[Any] | None = None
        if mimetype == JSON:
            bodies = plain_bodies(raw, MOST_ORDERS)
        if bodies is None:
            bodies = validate(BatchBody, _parse_batch(raw, mimetype)).orders
        return 200, _results(await self.orders.place_all(key, bodies, name))

    async def _cancel_batch(
        self, key: LiveKey, signed: Signed, raw: bytes, mimetype: str
    ) -> tuple[int, Any]:
        order_ids = validate(CancelBody, parse_json(raw, mimetype)).order_ids
        key_of = None
        if signed.idempotency_key:
            head = signing.machine_key(key.user_id, f"{signed.idempotency_key}.cancel")
            key_of = lambda order_id: f"{head}.{order_id}"  # noqa: E731
        return 200, _results(await self.orders.cancel_all(key, order_ids, key_of))

    def _health(self) -> tuple[int, Any]:
        """Whether orders can be taken now."""
        if not self.engine.connected:
            raise Unavailable("The trading engine is not in reach.")
        if not self._changes.hearing:
            raise Unavailable("The database is not in reach.")
        waiting = self.orders.pressure.in_flight
        return 200, {"status": "ok", "in_flight": waiting}


class WrongMethod(PortalError):
    """Right address, wrong verb."""

    code = "method_not_allowed"
    status = 405


async def _end_with(server: int) -> None:
    """End when the server process that started this one is gone, however it went.

    Else a worker whose server was killed would keep the port and share it with the next one's.
    """
    while os.getppid() == server:
        await asyncio.sleep(_LOOK_SECONDS)
    _log.error("the server process is gone")
    os._exit(1)


def _parse_batch(raw: bytes, mimetype: str) -> Any:
    """A batch, whose orders are looked into one by one."""
    value = load_json(raw, mimetype)
    if NUL in raw:
        check_content(value)
    return value


def _require_idempotency_key(signed: Signed) -> None:
    given = {IDEMPOTENCY_HEADER: signed.idempotency_key} if signed.idempotency_key else {}
    validate(IdempotencyHeaders, given)


def _results(answers: list[Answer]) -> dict[str, list[dict[str, Any]]]:
    return {
        "results": [
            {"error": one.as_dict()} if isinstance(one, PortalError) else {"order": one}
            for one in answers
        ]
    }


def create_gateway() -> Gateway:
    """The application of this process, by its settings."""
    from portal.core.logs import configure_logging

    configure_logging()
    return Gateway(load_settings())
