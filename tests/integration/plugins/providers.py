"""Providers that misbehave, and a host that has them."""

from typing import Any

from portal.core.db import Database
from portal.core.settings import Settings
from portal.plugin_api import (
    ComplianceRules,
    Decision,
    FeeModel,
    Fees,
    OrderFacts,
    Provider,
    TradeFacts,
)
from portal.plugin_host.host import PluginHost
from portal.plugin_host.loading import LoadedPlugin, Registry


class Answering(ComplianceRules):
    """Gives the answer it was made with; an exception is raised."""

    label = "Test rules"

    def __init__(self, slug: str, answer: Any) -> None:
        self.slug = slug  # type: ignore[misc]
        self._answer = answer

    def check_order(self, facts: OrderFacts, settings: Any) -> Decision:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer  # type: ignore[no-any-return]

    def check_trade(self, facts: TradeFacts, settings: Any) -> Decision:
        return self.check_order(facts, settings)  # type: ignore[arg-type]


class Charging(FeeModel):
    """Charges what it was made with; an exception is raised."""

    slug = "charging"
    label = "Test fees"

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def quote(self, facts: TradeFacts, settings: Any) -> Fees:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer  # type: ignore[no-any-return]


def host_of(settings: Settings, database: Database, *providers: Provider) -> PluginHost:
    """A host of these providers, each a plugin of its own."""
    registry = Registry()
    for provider in providers:
        registry.add(LoadedPlugin(provider.slug, "test", "1", (provider,)))
    return PluginHost(settings, database, registry)
