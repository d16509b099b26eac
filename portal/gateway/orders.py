"""Orders of machines: read and decided like everybody's, answered in short."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NoReturn

import msgspec
import orjson
from sqlalchemy.exc import DBAPIError

from portal.api.reading import check_content, validate
from portal.api.shapes import IDEMPOTENCY_HEADER
from portal.core.clock import now_ms
from portal.core.errors import Conflict, Forbidden, InvalidInput, PortalError, Unavailable
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.engine.stream_client import Answer, StreamClient
from portal.gateway.compliance import Compliance, question_of
from portal.gateway.memory import Busy, database_away
from portal.gateway.plain import Pattern, Patterns, PlainBody, numbers, plain_words
from portal.gateway.pressure import Pressure
from portal.gateway.records import Missing, Records
from portal.orders.authority import SignedAuthority
from portal.orders.draft import place_command, read_draft
from portal.orders.frame import Frame
from portal.orders.links import offer_link
from portal.orders.person import check_person
from portal.orders.service import OrderDesk, Prepared, Via, by_key, in_words
from portal.orders.shapes import OrderBody, wanted_order
from portal.users.signing import LiveKey, machine_key

MOST_ASKED = 1_024
Names = Callable[[OrderBody | PlainBody, int], str]


class Ready:
    """An order on its way to the engine: its command (JSON), and what to do with a refusal."""

    __slots__ = ("client_id", "command", "frame", "prepared", "user_id")

    def __init__(
        self,
        command: bytes,
        frame: Frame,
        user_id: int,
        client_id: str | None,
        prepared: Prepared | None = None,
    ) -> None:
        self.command = command
        self.frame, self.user_id, self.client_id = frame, user_id, client_id
        self.prepared = prepared


class Orders:
    """Decides about orders and hands them to the engine. For one event loop."""

    def __init__(
        self,
        settings: Settings,
        sealer: Sealer,
        desk: OrderDesk,
        records: Records,
        compliance: Compliance,
        engine: StreamClient,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._settings, self._sealer, self._desk = settings, sealer, desk
        self._records, self._compliance, self._engine = records, compliance, engine
        self._threads = threads
        self.pressure = Pressure(settings.gateway_in_flight, settings.gateway_key_in_flight)
        self._patterns = Patterns()
        self._asked = 0
        self._loop = asyncio.get_running_loop()

    async def place(self, key: LiveKey, body: OrderBody, name: str) -> dict[str, Any]:
        """One order under a name of its owner's; the engine's answer. Raises PortalError."""
        done = self.pressure.take(key.id, 1)
        sent = False
        try:
            ready = await self._decide(key, body, name)
            asked = self._engine.ask([ready.command], keyed=True, done=done)
            sent = True
        finally:
            if not sent:
                done()
        return await self._answered_one(ready, asked)

    async def send(self, key: LiveKey, ready: Ready) -> dict[str, Any]:
        """The same for an order that was decided already."""
        done = self.pressure.take(key.id, 1)
        asked = self._engine.ask([ready.command], keyed=True, done=done)
        return await self._answered_one(ready, asked)

    async def _answered_one(
        self, ready: Ready, asked: "asyncio.Future[list[Answer]]"
    ) -> dict[str, Any]:
        (answer,) = await asked
        if not isinstance(answer, PortalError):
            return _in_short(ready, answer)
        raise await self._refused(ready, answer)

    async def place_all(
        self,
        key: LiveKey,
        bodies: Sequence[Any],
        names: Callable[[OrderBody | PlainBody, int], str],
    ) -> list[Answer]:
        """Each of up to 100 orders, plain ones or JSON values; an answer or a refusal each, in
        order. `names` finds an order's name by its body and place; "" where it has none.

        Raises TooBusy when there is no room for all of them.
        """
        done = self.pressure.take(key.id, len(bodies))
        answers: list[Answer | None] = [None] * len(bodies)
        readies: list[tuple[int, Ready]] = []
        sent = False
        try:
            for at, value in enumerate(bodies):
                try:
                    ready = None
                    if isinstance(value, PlainBody):
                        ready = self.decide_plain(key, value, names(value, at))
                    if ready is None:
                        body = _read(value)
                        name = names(body, at) or _unnamed()
                        ready = await self._decide(key, body, name)
                    readies.append((at, ready))
                except PortalError as refusal:
                    answers[at] = refusal
            if readies:
                commands = [ready.command for _, ready in readies]
                asked = self._engine.ask(commands, keyed=True, done=done)
                sent = True
        finally:
            if not sent:
                done()
        if readies:
            for (at, ready), answer in zip(readies, await asked, strict=True):
                if isinstance(answer, PortalError):
                    answers[at] = await self._refused(ready, answer)
                else:
                    answers[at] = _in_short(ready, answer)
        return answers  # type: ignore[return-value]

    async def cancel_all(
        self, key: LiveKey, order_ids: Sequence[int], key_of: Callable[[int], str] | None
    ) -> list[Answer]:
        """Cancel up to 100 orders; an answer or a refusal each, in order.

        `key_of` makes the engine's key of an order's cancel, where the request has one.
        """
        done = self.pressure.take(key.id, len(order_ids))
        commands = []
        for order_id in order_ids:
            command = {"kind": "cancel_order", "order_id": order_id, "owner": key.user_id}
            if key_of is not None:
                command["key"] = key_of(order_id)
            commands.append(orjson.dumps(command))
        answers = await self._engine.ask(commands, keyed=key_of is not None, done=done)
        return [
            _not_open(order_id) if isinstance(answer, Forbidden) else answer
            for order_id, answer in zip(order_ids, answers, strict=True)
        ]

    def decide_plain(self, key: LiveKey, body: PlainBody, name: str) -> Ready | None:
        """A plain order that is known to be right without asking anybody; None for any other,
        which is for the usual way to decide.
        """
        user_id, records = key.user_id, self._records
        pattern = self._patterns.find(body.words(user_id))
        if pattern is None or not name:
            return None
        frame, known = records.frames.now(body.market), records.people.now(user_id)
        switches = records.switches.now("")
        if frame is None or isinstance(frame, Missing) or known is None or switches is None:
            return None
        if not pattern.holds(frame, known, switches, key):
            return None
        found = numbers(frame, body)
        if found is None or not switches.order_answer_seconds:
            return None
        price, quantity, size = found
        if not self._compliance.allows(pattern.sort, size):
            return None
        command = pattern.command(machine_key(user_id, name), price, quantity)
        return Ready(command, frame, user_id, body.client_id)

    async def _decide(self, key: LiveKey, body: OrderBody, name: str) -> Ready:
        """An order that may go to the engine. Raises PortalError for one that may not."""
        wanted = wanted_order(body)
        frame = await self._records.frame(wanted.market)
        draft = read_draft(frame, wanted, now_ms())
        engine_key = machine_key(key.user_id, name)
        via = Via(key.id, key.max_open_orders or self._settings.gateway_key_open_orders)
        if _needs_the_book(body) or body.authority is not None or _settles_elsewhere(body, frame):
            signed = None
            if body.authority is not None:
                message = body.authority.message.model_dump()
                signed = SignedAuthority(message, body.authority.signature)
            prepared = await self._in_thread(
                self._desk.prepare, key.user_id, wanted, signed, engine_key, via
            )
            told = orjson.dumps(prepared.command)
            return Ready(told, frame, key.user_id, body.client_id, prepared)
        records = self._records
        known = records.people.now(key.user_id) or await records.known(key.user_id)
        switches = records.switches.now("") or await records.switched()
        check_person(known.person, switches.methods.__contains__, draft)
        sort, size = question_of(key.user_id, draft)
        seconds = switches.order_answer_seconds
        if not seconds or not self._compliance.allows(sort, size):
            await self._compliance.require(sort, size, seconds)
        link = offer_link(self._sealer, engine_key) if wanted.private else None
        command = place_command(
            draft, key.user_id, known.facts, engine_key, link=link, **by_key(via)
        )
        words = plain_words(body, key.user_id)
        if words is not None:
            self._patterns.learn(words, Pattern(frame, known, switches, key, sort, command))
        return Ready(orjson.dumps(command), frame, key.user_id, body.client_id)

    async def _refused(self, ready: Ready, refusal: PortalError) -> PortalError:
        """The engine's refusal in the machine's words."""
        if isinstance(refusal, Unavailable):
            return refusal  # It may have been placed: what was kept for it must stay.
        if ready.prepared is not None and ready.prepared.digest is not None:
            # What can't be taken back just now stays: an authority without an order opens nothing.
            with suppress(Unavailable, Busy):
                await self._in_thread(self._desk.refused, ready.user_id, ready.prepared, refusal)
                return refusal
        return in_words(refusal, ready.frame)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Blocking work; finished even when whoever asked goes away. Raises Busy."""
        if self._asked >= MOST_ASKED:
            raise Busy("The portal is busy.", hint="Try again in a second.")
        self._asked += 1
        working = self._loop.run_in_executor(self._threads, work, *arguments)
        working.add_done_callback(self._answered)
        try:
            return await asyncio.shield(working)
        except DBAPIError as error:
            raise database_away() from error

    def _answered(self, _: object) -> None:
        self._asked -= 1


def _in_short(ready: Ready, answer: dict[str, Any]) -> dict[str, Any]:
    """The engine's answer in the machine's words."""
    return {
        "order_id": answer.get("order_id"),
        "status": answer.get("status"),
        "trades": answer.get("trades"),
        "client_id": ready.client_id,
    }


def _unnamed() -> NoReturn:
    raise InvalidInput(
        "client_id is missing.",
        field="client_id",
        hint=f"Name each order, or send an {IDEMPOTENCY_HEADER}.",
    )


def _read(value: Any) -> OrderBody:
    """One order of a batch. What is too deep for a body is so in here too."""
    if isinstance(value, PlainBody):
        value = orjson.loads(msgspec.json.encode(value))
    try:
        return validate(OrderBody, value)
    except InvalidInput:
        check_content(value)
        raise


def _not_open(order_id: int) -> Conflict:
    """Another person's order is told like one that is gone: who has which is nobody's business."""
    return Conflict(f"Order {order_id} is not open.", field="order_id", value=order_id)


def _needs_the_book(body: OrderBody) -> bool:
    """Its worst price depends on who is there to trade with."""
    return body.order_type == "market" or body.take_order is not None


def _settles_elsewhere(body: OrderBody, frame: Frame) -> bool:
    """On chain, where a seller's signature is kept first, or at once, where fees are asked for."""
    market = frame.market
    return market.settlement == "instant" or (market.escrow == "evm" and body.side == "sell")
