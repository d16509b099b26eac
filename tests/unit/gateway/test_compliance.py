"""Answers of the rules are asked for again before they end, and never used beyond that."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from portal.core.db import Database
from portal.core.errors import Forbidden
from portal.core.settings import Settings
from portal.gateway.compliance import MOST_AGAIN, Compliance, Size, Sort
from portal.plugin_api import Decision, Verdict
from portal.plugin_host.host import PluginHost

SMALL, LARGE = Size(10, 10), Size(1_000, 1_000)
LIFE = 0.4


class Rules(Compliance):
    """Rules that a test changes; every question is counted."""

    verdict = Verdict.ALLOW
    asked = 0
    failing = False

    def _ask_now(self, sort: Sort, size: Size) -> Decision:
        self.asked += 1
        if self.failing:
            raise Forbidden("The rules are broken.")
        return Decision(self.verdict, "because")


def sort(user_id: int = 7) -> Sort:
    return Sort(user_id, "USDT-EUR", "sell", ("sepa",), True)


def run(test: Callable[[Rules], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    async def work() -> None:
        options = Settings(_env_file=None, database_url="postgresql://nobody@127.0.0.1:1/none")
        database = Database(options.required_database_url)
        with ThreadPoolExecutor(2) as threads:
            await test(Rules(database, PluginHost(options, database), threads))

    def call() -> None:
        asyncio.run(asyncio.wait_for(work(), 20))

    call.__name__ = test.__name__
    return call


@run
async def test_an_answer_in_use_is_asked_for_again_and_nobody_waits(rules: Rules) -> None:
    await rules.require(sort(), SMALL, LIFE)
    until = asyncio.get_running_loop().time() + 4 * LIFE
    while asyncio.get_running_loop().time() < until:
        assert rules.allows(sort(), SMALL)
        await asyncio.sleep(0.01)
    assert 4 <= rules.asked <= 14


@run
async def test_an_answer_that_nobody_uses_ends(rules: Rules) -> None:
    await rules.require(sort(), SMALL, LIFE)
    await asyncio.sleep(LIFE * 1.1)
    assert not rules.allows(sort(), SMALL)
    assert rules.asked == 1


@run
async def test_a_denial_ends_the_answer_before_it(rules: Rules) -> None:
    await rules.require(sort(), SMALL, 10 * LIFE)
    rules.verdict = Verdict.DENY
    told = rules._told[7]
    told.allowed[sort()] = told.allowed[sort()]._replace(again=0.0)
    assert rules.allows(sort(), SMALL)
    await asyncio.sleep(LIFE)
    assert not rules.allows(sort(), SMALL)


@run
async def test_what_can_not_be_asked_again_holds_until_its_end_only(rules: Rules) -> None:
    await rules.require(sort(), SMALL, LIFE)
    rules.failing = True
    seen = []
    for _ in range(60):
        seen.append(rules.allows(sort(), SMALL))
        await asyncio.sleep(0.01)
    assert seen[0]
    assert not seen[-1]


@run
async def test_few_are_asked_for_again_at_once(rules: Rules) -> None:
    for user_id in range(20):
        await rules.require(sort(user_id), SMALL, 10 * LIFE)
        told = rules._told[user_id]
        told.allowed[sort(user_id)] = told.allowed[sort(user_id)]._replace(again=0.0)
    assert all(rules.allows(sort(user_id), SMALL) for user_id in range(20))
    assert len(rules._again) == MOST_AGAIN
    assert not rules.allows(sort(), LARGE)
