"""Compliance at the gateway: every order is asked for, and an answer used again where it holds.

How long one holds the rules themselves declare (`ComplianceRules.order_answer_seconds`). An answer
is for one person, market, side, set of methods and day, and for all orders up to a size: the next
power of two of its coins and money. Where such a rounded order would be denied, the real one is
asked for exactly; where the rules want to see every order, they do.
"""

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Forbidden
from portal.core.money import Money, quote_units
from portal.gateway.memory import Busy, database_away
from portal.markets.models import Market
from portal.orders.draft import Draft, worst_price
from portal.payments.facts import order_facts
from portal.plugin_api import Decision, Verdict
from portal.plugin_host.host import PluginHost

MOST_PEOPLE, MOST_OF_ONE = 20_000, 500
MOST_WAITING = 256


_DAY_SECONDS = 86_400


class Question(NamedTuple):
    """An order as compliance sees it; sizes in base and quote units, None while unpriced."""

    user_id: int
    market: str
    side: str
    methods: tuple[str, ...]
    quantity: int
    amount: int | None

    @property
    def rounded(self) -> "Question":
        """The largest order that an answer to this one is good for."""
        user_id, market, side, methods, quantity, amount = self
        return Question(
            user_id, market, side, methods, _up(quantity), None if amount is None else _up(amount)
        )


class Compliance:
    """Asks the rules, or remembers what they said. Made on its event loop."""

    def __init__(
        self, database: Database, plugins: PluginHost, threads: ThreadPoolExecutor
    ) -> None:
        self._database, self._plugins, self._threads = database, plugins, threads
        self._answers: OrderedDict[int, dict[Question, tuple[Decision, float]]] = OrderedDict()
        self._waiting = 0
        self._generation = 0
        self._loop = asyncio.get_running_loop()

    def forget(self, user_id: int) -> None:
        """This person changed."""
        self._generation += 1
        self._answers.pop(user_id, None)

    def clear(self) -> None:
        """Something that all answers stood on changed."""
        self._generation += 1
        self._answers.clear()

    def allows(self, question: Question) -> bool:
        """Whether the rules are known to let such an order stand; False says nothing."""
        mine = self._answers.get(question.user_id)
        found = mine.get(question.rounded) if mine else None
        return (
            found is not None
            and found[0].verdict is not Verdict.DENY
            and found[1] > self._loop.time()
        )

    async def require(self, question: Question, seconds: float) -> None:
        """Raises Forbidden with the rules' reason when they deny the order, Busy when too many
        are being asked for. `seconds`: how long an answer holds; 0: not at all.
        """
        if not seconds:
            decision = await self._ask(question)
        else:
            decision = await self._answer(question.rounded, seconds)
            if decision.verdict is Verdict.DENY and question.rounded != question:
                decision = await self._answer(question, seconds)
        if decision.verdict is Verdict.DENY:
            raise Forbidden(decision.reason, hint="Ask support if you think this is wrong.")

    async def _answer(self, question: Question, seconds: float) -> Decision:
        found = self._remembered(question)
        if found is not None:
            return found
        # Rules go by dates too: no answer holds beyond the day (UTC) it was given on.
        day_left = _DAY_SECONDS - time.time() % _DAY_SECONDS
        generation, until = self._generation, self._loop.time() + min(seconds, day_left)
        decision = await self._ask(question)
        if generation == self._generation:
            mine = self._answers.setdefault(question.user_id, {})
            if len(mine) >= MOST_OF_ONE:
                mine.clear()
            mine[question] = decision, until
            if len(self._answers) > MOST_PEOPLE:
                self._answers.popitem(last=False)
        return decision

    def _remembered(self, question: Question) -> Decision | None:
        mine = self._answers.get(question.user_id)
        found = mine.get(question) if mine else None
        return found[0] if found is not None and found[1] > self._loop.time() else None

    async def _ask(self, question: Question) -> Decision:
        if self._waiting >= MOST_WAITING:
            raise Busy("Compliance has too many orders to look at.", hint="Try again in a second.")
        self._waiting += 1
        asking = self._loop.run_in_executor(self._threads, self._ask_now, question)
        asking.add_done_callback(self._asked)
        try:
            return await asyncio.shield(asking)
        except DBAPIError as error:
            raise database_away() from error

    def _asked(self, _: object) -> None:
        self._waiting -= 1

    def _ask_now(self, question: Question) -> Decision:
        with self._database.reader() as session:
            facts = order_facts(
                session,
                user_id=question.user_id,
                market=session.get_one(Market, question.market),
                side=question.side,
                quantity=question.quantity,
                price_ticks=None,
                methods=question.methods,
                at=utc_now(),
            )
        if question.amount is not None:
            facts = replace(facts, amount=Money(facts.quote, question.amount))
        return self._plugins.check_order(facts)


def question_of(user_id: int, draft: Draft) -> Question:
    """What to ask for an order whose worst price its own words tell."""
    frame, price, amount = draft.frame, worst_price(draft, None), None
    if price is not None:
        amount = quote_units(
            draft.quantity,
            price,
            base_places=frame.base.places,
            price_places=frame.market.price_places,
            quote_places=frame.quote.places,
        )
    wanted = draft.wanted
    return Question(user_id, wanted.market, wanted.side, wanted.methods, draft.quantity, amount)


def _up(units: int) -> int:
    return 1 << (units - 1).bit_length() if units > 0 else 0
