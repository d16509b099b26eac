"""Compliance at the gateway: every order is asked for, and an answer used again where it holds.

How long one holds the rules themselves declare (`ComplianceRules.order_answer_seconds`); it then
holds for all orders of the same person, market, side and methods that are not larger. So the
rules are asked about an order rounded up, and the largest one they let stand is remembered. Where
the rounded one would be denied, the real one is asked for exactly; where the rules want to see
every order, they do. No answer outlives the day (UTC): rules go by dates too.

An answer in use is asked for again before it ends, at a moment of its own, a few at a time: else
all answers of a busy minute would end together a minute later, and every order wait for its own.
"""

import asyncio
import random
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Forbidden, PortalError
from portal.core.money import Money
from portal.core.units import quote_units
from portal.gateway.memory import Busy, database_away
from portal.markets.models import Market
from portal.orders.draft import Draft, worst_price
from portal.payments.facts import order_facts
from portal.plugin_api import Decision, Verdict
from portal.plugin_host.host import PluginHost

MOST_PEOPLE, MOST_DENIED = 20_000, 100
MOST_WAITING = 1_024
# Rounding up by so many bits: few questions a person, and still none far beyond what is wanted.
_STEP_BITS = 4
_DAY_SECONDS = 86_400
# In which part of its life an answer is asked for again, and how many are so at once.
_AGAIN, MOST_AGAIN = (0.4, 0.9), 2


class Sort(NamedTuple):
    """Orders that one answer can hold for. Orders without a price yet are a sort of their own."""

    user_id: int
    market: str
    side: str
    methods: tuple[str, ...]
    priced: bool


class Size(NamedTuple):
    """How large an order is, in base and quote units (0 while it has no price)."""

    quantity: int
    amount: int

    def covers(self, other: "Size") -> bool:
        """Whether `other` is not larger."""
        return other.quantity <= self.quantity and other.amount <= self.amount


class Allowed(NamedTuple):
    """Up to which size orders may stand, until when, and from when on that is asked again."""

    size: Size
    until: float
    again: float
    seconds: float


@dataclass
class _Told:
    """What the rules said of one person's orders, each until a time of the loop's clock."""

    allowed: dict[Sort, Allowed] = field(default_factory=dict)
    denied: dict[tuple[Sort, Size], tuple[Decision, float]] = field(default_factory=dict)


class Compliance:
    """Asks the rules, or remembers what they said. Made on its event loop."""

    def __init__(
        self, database: Database, plugins: PluginHost, threads: ThreadPoolExecutor
    ) -> None:
        self._database, self._plugins, self._threads = database, plugins, threads
        self._told: OrderedDict[int, _Told] = OrderedDict()
        self._asking: dict[Sort, asyncio.Future[Decision]] = {}
        self._waiting = 0
        self._again: dict[Sort, asyncio.Task[None]] = {}
        self._generation = 0
        self._loop = asyncio.get_running_loop()

    def forget(self, user_id: int) -> None:
        """This person changed."""
        self._generation += 1
        self._told.pop(user_id, None)

    def clear(self) -> None:
        """Something that all answers stood on changed."""
        self._generation += 1
        self._told.clear()

    def allows(self, sort: Sort, size: Size) -> bool:
        """Whether the rules are known to let such an order stand; False says nothing."""
        told = self._told.get(sort.user_id)
        found = told.allowed.get(sort) if told else None
        if found is None or not found.size.covers(size):
            return False
        now = self._loop.time()
        if now > found.again:
            self._ask_again(sort, found)
        return found.until > now

    def _ask_again(self, sort: Sort, found: Allowed) -> None:
        if sort not in self._again and sort not in self._asking and len(self._again) < MOST_AGAIN:
            asking = self._loop.create_task(self._renew(sort, found))
            self._again[sort] = asking
            asking.add_done_callback(lambda _: self._again.pop(sort, None))

    async def _renew(self, sort: Sort, found: Allowed) -> None:
        # What can't be asked just now is asked again by the next order, at last by one that waits.
        with suppress(PortalError):
            decision = await self._remember(sort, found.size, found.seconds)
            told = self._told.get(sort.user_id)
            if decision.verdict is Verdict.DENY and told and told.allowed.get(sort) is found:
                del told.allowed[sort]

    async def require(self, sort: Sort, size: Size, seconds: float) -> None:
        """Raises Forbidden with the rules' reason when they deny the order, Busy when too many
        are being asked for. `seconds`: how long an answer holds; 0: not at all.
        """
        if not seconds:
            _refuse_denied(await self._ask(sort, size))
            return
        # One question a sort at a time: its answer is mostly good for all who wait.
        while (asking := self._asking.get(sort)) is not None:
            await asyncio.wait([asking])
            if self.allows(sort, size):
                return
        rounded = Size(_up(size.quantity), _up(size.amount))
        if self._denial(sort, rounded) is None:
            decision = await self._remember(sort, rounded, seconds)
            if decision.verdict is not Verdict.DENY:
                return
        exact = self._denial(sort, size) or await self._remember(sort, size, seconds)
        _refuse_denied(exact)

    def _denial(self, sort: Sort, size: Size) -> Decision | None:
        told = self._told.get(sort.user_id)
        found = told.denied.get((sort, size)) if told else None
        return found[0] if found is not None and found[1] > self._loop.time() else None

    async def _remember(self, sort: Sort, size: Size, seconds: float) -> Decision:
        day_left = _DAY_SECONDS - time.time() % _DAY_SECONDS
        life, now, generation = min(seconds, day_left), self._loop.time(), self._generation
        until = now + life
        decision = await self._ask(sort, size)
        if generation != self._generation:
            return decision  # It was asked of what has changed since: good for this order only.
        told = self._told.setdefault(sort.user_id, _Told())
        if decision.verdict is not Verdict.DENY:
            before = told.allowed.get(sort)
            if before is None or size.covers(before.size) or before.until <= self._loop.time():
                again = until if life < seconds else now + life * random.uniform(*_AGAIN)  # noqa: S311
                told.allowed[sort] = Allowed(size, until, again, seconds)
        elif len(told.denied) < MOST_DENIED:
            told.denied[sort, size] = decision, until
        else:
            told.denied = {(sort, size): (decision, until)}
        if len(self._told) > MOST_PEOPLE:
            self._told.popitem(last=False)
        return decision

    async def _ask(self, sort: Sort, size: Size) -> Decision:
        if self._waiting >= MOST_WAITING:
            raise Busy("Compliance has too many orders to look at.", hint="Try again in a second.")
        self._waiting += 1
        asking = self._loop.run_in_executor(self._threads, self._ask_now, sort, size)
        self._asking[sort] = asking
        asking.add_done_callback(lambda asked: self._asked(sort, asked))
        try:
            return await asyncio.shield(asking)
        except DBAPIError as error:
            raise database_away() from error

    def _asked(self, sort: Sort, asked: "asyncio.Future[Decision]") -> None:
        self._waiting -= 1
        if self._asking.get(sort) is asked:
            del self._asking[sort]

    def _ask_now(self, sort: Sort, size: Size) -> Decision:
        with self._database.reader() as session:
            facts = order_facts(
                session,
                user_id=sort.user_id,
                market=session.get_one(Market, sort.market),
                side=sort.side,
                quantity=size.quantity,
                price_ticks=None,
                methods=sort.methods,
                at=utc_now(),
            )
        if sort.priced:
            facts = replace(facts, amount=Money(facts.quote, size.amount))
        return self._plugins.check_order(facts)


def question_of(user_id: int, draft: Draft) -> tuple[Sort, Size]:
    """What to ask for an order whose worst price its own words tell."""
    frame, price, amount = draft.frame, worst_price(draft, None), 0
    if price is not None:
        amount = quote_units(
            draft.quantity,
            price,
            base_places=frame.base.places,
            price_places=frame.market.price_places,
            quote_places=frame.quote.places,
        )
    wanted = draft.wanted
    sort = Sort(user_id, wanted.market, wanted.side, wanted.methods, price is not None)
    return sort, Size(draft.quantity, amount)


def _refuse_denied(decision: Decision) -> None:
    if decision.verdict is Verdict.DENY:
        raise Forbidden(decision.reason, hint="Ask support if you think this is wrong.")


def _up(units: int) -> int:
    """The next power of 16 (0 stays 0)."""
    if units <= 0:
        return 0
    return 1 << -(-(units - 1).bit_length() // _STEP_BITS) * _STEP_BITS
