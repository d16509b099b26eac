"""The plugin host: every call into a plugin goes through here, guarded.

A fee that can't be computed raises Unavailable. A compliance rule that raises, gives nonsense,
or is switched on but not loaded, answers HOLD.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy.orm import Session

from portal.core.db import Database
from portal.core.errors import Conflict, NotFound, PortalError, Unavailable
from portal.core.money import Money
from portal.core.settings import Settings
from portal.plugin_api import (
    ComplianceRules,
    Decision,
    FeeModel,
    Fees,
    OrderFacts,
    PaymentGateway,
    Provider,
    TradeFacts,
    Verdict,
)
from portal.plugin_host import composing, settings_store
from portal.plugin_host.loading import LoadedPlugin, Registry, kind_of, load_registry
from portal.plugin_host.models import PluginSwitch
from portal.plugin_host.settings_store import EVERYWHERE, StoredSettings

_log = structlog.get_logger(__name__)
_SEVERITY = (Verdict.ALLOW, Verdict.HOLD, Verdict.DENY)

Ask = Callable[[ComplianceRules, Any], Decision]


class PluginHost:
    """The providers of one process, with their settings and switches from the database."""

    def __init__(
        self, settings: Settings, database: Database, registry: Registry | None = None
    ) -> None:
        """Loads the plugins that PLUGINS_ALLOWED lists, unless given a `registry` of them."""
        self._registry = registry or load_registry(
            allowed_plugins(settings), bundled_only=settings.plugins_safe_mode
        )
        self._database = database
        for plugin in self._registry.plugins:
            if plugin.reason and plugin.name in allowed_names(settings):
                _log.error("plugin refused", plugin=plugin.name, reason=plugin.reason)

    @property
    def plugins(self) -> list[LoadedPlugin]:
        """Every plugin found, in use or refused with the reason."""
        return self._registry.plugins

    @property
    def providers(self) -> dict[str, Provider]:
        """Every provider in use, by slug."""
        return dict(self._registry.providers)

    def provider(self, slug: str) -> Provider:
        """Any provider. Raises NotFound saying why it is not there."""
        if slug not in self._registry.providers:
            raise NotFound(
                f"No plugin provides '{slug}'.",
                field="slug",
                value=slug,
                hint="`portal plugins list` shows what is loaded, and why the rest is not.",
            )
        return self._registry.providers[slug]

    def gateway(self, slug: str) -> PaymentGateway:
        """A payment gateway, switched on or not: its open trades still have to settle."""
        provider = self.provider(slug)
        if not isinstance(provider, PaymentGateway):
            raise NotFound(f"'{slug}' is no payment gateway.", field="slug", value=slug)
        return provider

    def gateways(self) -> list[PaymentGateway]:
        """The gateways that may be used for new trades."""
        return [p for p in self._enabled() if isinstance(p, PaymentGateway)]

    def fee_model(self, slug: str) -> FeeModel:
        """A fee model."""
        provider = self.provider(slug)
        if not isinstance(provider, FeeModel):
            raise NotFound(f"'{slug}' is no fee model.", field="slug", value=slug)
        return provider

    def is_enabled(self, slug: str) -> bool:
        """May this provider be used for new trades?"""
        self.provider(slug)
        return slug in {provider.slug for provider in self._enabled()}

    def get_settings(self, slug: str, *scopes: str) -> Any:
        """The settings that count in the first of `scopes` that has any, then everywhere."""
        return self.stored_settings(slug, *scopes).values

    def stored_settings(self, slug: str, *scopes: str) -> StoredSettings:
        """The same with the scope and version they came from, for an editor."""
        with self._database.reader() as session:
            return settings_store.effective(session, self.provider(slug), (*scopes, EVERYWHERE))

    def save_settings(
        self,
        session: Session,
        slug: str,
        scope: str,
        data: dict[str, Any],
        *,
        version: int,
        actor: str,
    ) -> int:
        """See `settings_store.save`."""
        provider = self.provider(slug)
        return settings_store.save(session, provider, scope, data, version=version, actor=actor)

    def set_enabled(self, session: Session, slug: str, enabled: bool, *, actor: str) -> None:
        """Switch a provider on or off for new trades, in the caller's transaction."""
        provider = self.provider(slug)
        settings_store.remember(session, slug, kind_of(provider), self._registry.plugin_of(slug))
        settings_store.set_enabled(session, provider, enabled, actor)

    def quote_fees(self, facts: TradeFacts, fee_model: str) -> Fees:
        """The fees of a trade by its market's model.

        Raises Unavailable when the model is gone, switched off, raises, or answers nonsense.
        """
        try:
            find = partial(self._model_in_use, facts.market)
            model, values = find(fee_model)
            fees = composing.quote(model, values, facts, find)
            _check_fees(fees, facts.quantity)
        except (Exception, SystemExit) as error:
            _log.warning("fee model failed", fee_model=fee_model, error=repr(error))
            raise Unavailable(f"The fee could not be computed: {_told(error)}") from error
        return fees

    def _model_in_use(self, market: str, slug: str) -> tuple[FeeModel, Any]:
        model = self.fee_model(slug)
        if not self.is_enabled(slug):
            raise Conflict(f"The fee model {model.label} is switched off.")
        return model, self.get_settings(slug, market)

    def check_order(self, facts: OrderFacts) -> Decision:
        """What the strictest of all rules says about an order."""
        scopes = [(facts.market, facts.party.country)]
        return self._strictest(lambda rules, values: rules.check_order(facts, values), scopes)

    def order_answer_seconds(self) -> float:
        """How long an answer of `check_order` holds for orders alike: the shortest of all rules."""
        rules, absent = self._compliance()
        if absent or not rules:
            return 0.0
        return max(0.0, min(float(item.order_answer_seconds) for item in rules))

    def check_trade(self, facts: TradeFacts) -> Decision:
        """What the strictest of all rules says about a trade, as set for either side's region."""
        countries = dict.fromkeys((facts.buyer.country, facts.seller.country))
        scopes = [(facts.market, country) for country in countries]
        return self._strictest(lambda rules, values: rules.check_trade(facts, values), scopes)

    def _strictest(self, ask: Ask, scopes: Sequence[tuple[str, ...]]) -> Decision:
        rules, absent = self._compliance()
        answers = [Decision.hold(f"The rules '{slug}' are not loaded.") for slug in absent]
        for item in rules:
            answers += [self._guarded(item, ask, scope) for scope in scopes]
        if not answers:
            return Decision.hold("No compliance rules are switched on.")
        return max(answers, key=lambda answer: _SEVERITY.index(answer.verdict))

    def _guarded(self, rules: ComplianceRules, ask: Ask, scopes: tuple[str, ...]) -> Decision:
        try:
            answer = ask(rules, self.get_settings(rules.slug, *filter(None, scopes)))
        except (Exception, SystemExit) as error:
            _log.warning("compliance rules failed", rules=rules.slug, error=repr(error))
            return Decision.hold(f"{rules.label} could not be asked: {_told(error)}")
        if not isinstance(answer, Decision):
            return Decision.hold(f"{rules.label} gave no decision.")
        return answer

    def _compliance(self) -> tuple[list[ComplianceRules], list[str]]:
        """The rules to ask, and those switched on that can't be asked."""
        switches = self._switches()
        enabled = [
            provider
            for provider in self._registry.providers.values()
            if isinstance(provider, ComplianceRules) and switches[provider.slug].enabled
        ]
        absent = [
            row.slug
            for row in switches.values()
            if row.kind == "compliance_rules" and row.enabled
            if row.slug not in self._registry.providers
        ]
        return enabled, absent

    def _enabled(self) -> Iterable[Provider]:
        switches = self._switches()
        return [p for p in self._registry.providers.values() if switches[p.slug].enabled]

    def _switches(self) -> dict[str, PluginSwitch]:
        with self._database.reader() as session:
            known = settings_store.switches(session)
        unknown = [p for p in self._registry.providers.values() if p.slug not in known]
        if not unknown:
            return known
        with self._database.transaction() as session:
            for provider in unknown:
                plugin = self._registry.plugin_of(provider.slug)
                settings_store.remember(session, provider.slug, kind_of(provider), plugin)
            return settings_store.switches(session)


def allowed_names(settings: Settings) -> list[str]:
    """The entry points that may be loaded, without their pins."""
    return [listed.partition("@")[0] for listed in allowed_plugins(settings)]


def allowed_plugins(settings: Settings) -> list[str]:
    """The entry points that PLUGINS_ALLOWED lists."""
    return [name.strip() for name in settings.plugins_allowed.split(",") if name.strip()]


def _check_fees(fees: object, quantity: Money) -> None:
    if not isinstance(fees, Fees):
        raise TypeError(f"the model gave {type(fees).__name__} instead of Fees")
    for name, fee in (("maker", fees.maker), ("taker", fees.taker)):
        if not isinstance(fee, Money) or fee.asset != quantity.asset:
            raise TypeError(f"the {name} fee is not in {quantity.asset.code}")
        if type(fee.units) is not int or not 0 <= fee.units <= quantity.units:
            raise ValueError(f"the {name} fee {fee} is not between 0 and {quantity}")


def _told(error: BaseException) -> str:
    """What of an error may be shown: our own messages; of others only the kind and a line."""
    if isinstance(error, PortalError):
        return error.message
    return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
