"""Finding plugins and letting in those that are in order, each by itself.

pluggy's own loader stops at the first import error, so the loop is ours. A plugin that fails at
any step is refused alone, with the reason; nothing it registered is used.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from portal.plugin_api import (
    API_VERSION,
    PROJECT,
    ComplianceRules,
    FeeModel,
    PaymentGateway,
    Provider,
    ProviderSettings,
    hookspecs,
)
from portal.plugin_host.pins import FilesDiffer, files_hash

GROUP = "otc_portal.plugins"
OURS = "otc-portal"
_SLUG = re.compile(r"[a-z][a-z0-9_]{1,39}")

KINDS: dict[str, type[Provider]] = {
    "payment_gateway": PaymentGateway,
    "fee_model": FeeModel,
    "compliance_rules": ComplianceRules,
}


class PluginRefused(Exception):
    """A plugin is not in order; the message says why, for the operator."""


@dataclass(frozen=True)
class LoadedPlugin:
    """An entry point and what became of it; `reason` is None for one that is in use."""

    name: str
    distribution: str
    version: str
    providers: tuple[Provider, ...] = ()
    reason: str | None = None


@dataclass
class Registry:
    """Every plugin that was found, and the providers of those in use, by slug."""

    plugins: list[LoadedPlugin] = field(default_factory=list)
    providers: dict[str, Provider] = field(default_factory=dict)

    def add(self, plugin: LoadedPlugin) -> None:
        """Take a plugin in; one that repeats a slug is refused whole."""
        taken = sorted(p.slug for p in plugin.providers if p.slug in self.providers)
        if taken:
            plugin = _refused(plugin, f"another plugin has the slug {', '.join(taken)} already")
        self.plugins.append(plugin)
        self.providers |= {provider.slug: provider for provider in plugin.providers}

    def plugin_of(self, slug: str) -> str:
        """The entry point that brought a provider."""
        return next(p.name for p in self.plugins if slug in {x.slug for x in p.providers})


def kind_of(provider: Provider) -> str:
    """payment_gateway, fee_model or compliance_rules."""
    return next(kind for kind, base in KINDS.items() if isinstance(provider, base))


def load_registry(
    allowed: Sequence[str],
    found: Iterable[EntryPoint] | None = None,
    *,
    bundled_only: bool = False,
) -> Registry:
    """Load the allowed plugins in the order of the list; the others are listed, never imported.

    An entry of the list is a name, or `name@sha256:…` with the hash of its package's files
    (`portal plugins check` tells it). `bundled_only`: no partner's plugin is loaded.
    """
    by_name: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP) if found is None else found:
        same = by_name.setdefault(entry.name, [])
        if all(_identity(entry) != _identity(other) for other in same):
            same.append(entry)
    registry = Registry()
    for listed in dict.fromkeys(allowed):
        name, _, pin = listed.partition("@")
        registry.add(_load_named(name, by_name.pop(name, []), pin, bundled_only))
    for name, entries in sorted(by_name.items()):
        registry.add(_refused(_describe(name, entries), "not listed in PLUGINS_ALLOWED"))
    return registry


def _load_named(name: str, entries: list[EntryPoint], pin: str, bundled_only: bool) -> LoadedPlugin:
    plugin = _describe(name, entries)
    if not entries:
        return _refused(plugin, "listed in PLUGINS_ALLOWED, but no installed package has it")
    if len(entries) > 1:
        sources = ", ".join(sorted(f"{_dist(e)} ({e.value})" for e in entries))
        return _refused(plugin, f"more than one package offers this name: {sources}")
    if bundled_only and _dist(entries[0]) != OURS:
        return _refused(plugin, "safe mode: the bundled plugins alone are loaded")
    try:
        if pin:
            _check_pin(entries[0], pin)
        return replace(plugin, providers=_providers(name, entries[0]))
    except PluginRefused as refusal:
        return _refused(plugin, str(refusal))
    except (Exception, SystemExit) as error:
        return _refused(plugin, f"{type(error).__name__}: {error}")


def _providers(name: str, entry: EntryPoint) -> tuple[Provider, ...]:
    module = entry.load()
    _check_version(getattr(module, "PORTAL_API", None))
    providers = _ask_hooks(name, module)
    if not providers:
        raise PluginRefused("it registers nothing: no function is marked with @hookimpl")
    for provider in providers:
        _check_provider(provider)
    slugs = [provider.slug for provider in providers]
    if len(set(slugs)) != len(slugs):
        raise PluginRefused(f"it registers a slug twice: {', '.join(slugs)}")
    return tuple(providers)


def _check_pin(entry: EntryPoint, pin: str) -> None:
    """Before anything of it is imported."""
    if entry.dist is None:
        raise PluginRefused("it belongs to no package, so its files can't be vouched for")
    try:
        found = f"sha256:{files_hash(entry.dist)}"
    except FilesDiffer as problem:
        raise PluginRefused(str(problem)) from None
    if found != pin:
        raise PluginRefused(f"its files are not those that PLUGINS_ALLOWED names: {found}")


def _check_version(wanted: object) -> None:
    match = re.fullmatch(r"(\d+)\.(\d+)", wanted) if isinstance(wanted, str) else None
    if match is None:
        raise PluginRefused(f'it does not say PORTAL_API = "{API_VERSION}" (it says {wanted!r})')
    major, minor = (int(part) for part in API_VERSION.split("."))
    if int(match[1]) != major or int(match[2]) > minor:
        raise PluginRefused(f"it is for plugin API {wanted}; this portal has {API_VERSION}")


def _ask_hooks(name: str, module: ModuleType) -> list[Provider]:
    """One manager per plugin: what one raises can't reach another."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, name=name)
    manager.check_pending()
    providers: list[Provider] = []
    for kind, base in KINDS.items():
        for answer in getattr(manager.hook, f"register_{kind}")():
            providers.extend(_as_providers(kind, base, answer))
    return providers


def _as_providers(kind: str, base: type[Provider], answer: Any) -> list[Provider]:
    items = list(answer) if isinstance(answer, list | tuple) else [answer]
    for item in items:
        if not isinstance(item, base):
            raise PluginRefused(
                f"register_{kind} must give a {base.__name__}, not {type(item).__name__}"
            )
    return items


def _check_provider(provider: Provider) -> None:
    slug = getattr(provider, "slug", None)
    if not isinstance(slug, str) or not _SLUG.fullmatch(slug):
        raise PluginRefused(f"{slug!r} is no slug: 2 to 40 of a-z, 0-9 and _, a letter first")
    if not isinstance(getattr(provider, "label", None), str) or not provider.label.strip():
        raise PluginRefused(f"{slug} has no label")
    model = provider.settings_model
    if not (isinstance(model, type) and issubclass(model, ProviderSettings)):
        raise PluginRefused(f"the settings_model of {slug} is no ProviderSettings")
    provider.default_settings()
    if '"writeOnly": true' in json.dumps(provider.settings_schema()):
        raise PluginRefused(f"{slug} declares secret settings, which plugin API 1.0 has not")


def _describe(name: str, entries: list[EntryPoint]) -> LoadedPlugin:
    dist = entries[0].dist if len(entries) == 1 else None
    return LoadedPlugin(name, dist.name if dist else "", dist.version if dist else "")


def _refused(plugin: LoadedPlugin, reason: str) -> LoadedPlugin:
    return replace(plugin, providers=(), reason=reason)


def _identity(entry: EntryPoint) -> tuple[str, str]:
    return _dist(entry), entry.value


def _dist(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "unknown"
