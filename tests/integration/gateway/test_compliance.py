"""When the rules are asked, and when an answer of theirs is used again."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from portal.core.db import Database
from portal.core.errors import Forbidden, Unavailable
from portal.core.settings import Settings
from portal.gateway.compliance import Compliance, Size, Sort
from portal.plugin_api import ComplianceRules, Decision, OrderFacts, ProviderSettings, TradeFacts
from portal.plugin_host.host import PluginHost
from portal.plugin_host.loading import LoadedPlugin, Registry
from tests.integration.api.world import World

pytestmark = pytest.mark.postgres


class Cautious(ComplianceRules):
    """Denies more than 1,000 EUR in one order, and counts how often it is asked."""

    slug, label, settings_model = "cautious", "Cautious", ProviderSettings
    order_answer_seconds = 60.0

    def __init__(self) -> None:
        self.asked: list[OrderFacts] = []
        self.away = False

    def check_order(self, facts: OrderFacts, settings: Any) -> Decision:
        self.asked.append(facts)
        if facts.amount is not None and facts.amount.units > 100_000:
            return Decision.deny("Too much at once.")
        return Decision.hold("Looked at later.") if facts.amount is None else Decision.allow()

    def check_trade(self, facts: TradeFacts, settings: Any) -> Decision:
        return Decision.allow()


@pytest.fixture
def world(settings: Settings, database: Database) -> Iterator[World]:
    world = World(settings, database)
    yield world
    world.close()


def with_rules(
    world: World, test: Callable[[Compliance, Cautious, Sort], Coroutine[Any, Any, None]]
) -> None:
    rules = Cautious()
    registry = Registry()
    registry.add(LoadedPlugin("cautious", "test", "1", (rules,)))
    plugins = PluginHost(world.settings, world.database, registry)
    sort = Sort(world.trader("Bob").id, "BTC-EUR", "buy", ("sepa",), True)

    async def work(threads: ThreadPoolExecutor) -> None:
        await test(Compliance(world.database, plugins, threads), rules, sort)

    with ThreadPoolExecutor(4) as threads:
        asyncio.run(asyncio.wait_for(work(threads), 30))


def test_one_answer_holds_for_all_orders_that_are_not_larger(world: World) -> None:
    async def test(compliance: Compliance, rules: Cautious, sort: Sort) -> None:
        await asyncio.gather(
            *(compliance.require(sort, Size(1_000 + n, 40_000 + n), 60) for n in range(50))
        )
        assert len(rules.asked) == 1
        assert compliance.allows(sort, Size(1, 1))
        assert not compliance.allows(sort, Size(10**9, 1))
        assert not compliance.allows(sort._replace(side="sell"), Size(1, 1))
        compliance.forget(sort.user_id)
        assert not compliance.allows(sort, Size(1, 1))

    with_rules(world, test)


def test_nothing_is_denied_that_was_not_asked_for_exactly(world: World) -> None:
    async def test(compliance: Compliance, rules: Cautious, sort: Sort) -> None:
        # 90,000 rounds up to more than the rules allow.
        await compliance.require(sort, Size(1_000, 90_000), 60)
        assert [facts.amount and facts.amount.units for facts in rules.asked] == [2**20, 90_000]
        assert compliance.allows(sort, Size(1_000, 90_000))
        for _ in range(3):
            with pytest.raises(Forbidden, match="Too much"):
                await compliance.require(sort, Size(1_000, 100_001), 60)
        assert len(rules.asked) == 3

    with_rules(world, test)


def test_rules_that_want_to_see_every_order_do(world: World) -> None:
    async def test(compliance: Compliance, rules: Cautious, sort: Sort) -> None:
        for _ in range(5):
            await compliance.require(sort, Size(1_000, 40_000), 0)
        assert len(rules.asked) == 5
        assert {facts.quantity.units for facts in rules.asked} == {1_000}
        assert not compliance.allows(sort, Size(1, 1))

    with_rules(world, test)


def test_an_order_without_a_price_is_asked_for_without_an_amount(world: World) -> None:
    async def test(compliance: Compliance, rules: Cautious, sort: Sort) -> None:
        unpriced = sort._replace(priced=False)
        await compliance.require(unpriced, Size(1_000, 0), 60)  # On hold: the order may stand.
        assert rules.asked[0].amount is None
        assert compliance.allows(unpriced, Size(1_000, 0))
        assert not compliance.allows(sort, Size(1_000, 0))

    with_rules(world, test)


def test_without_the_database_nobody_is_let_through(world: World) -> None:
    async def test(compliance: Compliance, rules: Cautious, sort: Sort) -> None:
        compliance._database = Database("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
        with pytest.raises(Unavailable):
            await compliance.require(sort, Size(1_000, 40_000), 60)
        assert rules.asked == []

    with_rules(world, test)
