"""Settings and switches of providers in the database, read at each use.

Nothing is cached: a rate that an operator saves counts for the next trade in every process.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.errors import Conflict, InvalidInput, Unavailable
from portal.plugin_api import Provider, ProviderSettings
from portal.plugin_host.models import PluginSetting, PluginSwitch

EVERYWHERE = ""
_SCOPE = re.compile(r"|[A-Z]{2}|[A-Z0-9]{2,12}-[A-Z0-9]{2,12}")


@dataclass(frozen=True)
class StoredSettings:
    """Settings as they count in a scope; `version` 0 means defaults that nobody saved.

    `scope` is where they were found: the one asked for, or a wider one.
    """

    values: ProviderSettings
    scope: str
    version: int


def effective(session: Session, provider: Provider, scopes: Sequence[str]) -> StoredSettings:
    """The settings of the first of `scopes` that has any, else the defaults.

    Raises Unavailable when what is stored does not fit the installed version of the plugin.
    """
    for scope in scopes:
        row = newest(session, provider.slug, scope)
        if row is not None:
            return StoredSettings(_stored_values(provider, row), scope, row.version)
    return StoredSettings(provider.default_settings(), EVERYWHERE, 0)


def newest(session: Session, slug: str, scope: str) -> PluginSetting | None:
    """The version that counts in exactly this scope."""
    return session.scalar(
        select(PluginSetting)
        .where(PluginSetting.slug == slug, PluginSetting.scope == scope)
        .order_by(PluginSetting.version.desc())
        .limit(1)
    )


def save(
    session: Session,
    provider: Provider,
    scope: str,
    data: dict[str, Any],
    *,
    version: int,
    actor: str,
) -> int:
    """Store `data` as the next version, in the caller's transaction; returns its number.

    `version` is the one the editor saw (0 for none). Raises InvalidInput naming the field, or
    Conflict when somebody saved in between.
    """
    if not _SCOPE.fullmatch(scope):
        raise InvalidInput(
            "A scope is empty (everywhere), a country like DE, or a market like USDT-EUR.",
            field="scope",
            value=scope,
        )
    values = validated(provider, data)
    before = newest(session, provider.slug, scope)
    _check_version(provider, before, version)
    _insert(session, provider, scope, values, version + 1, actor)
    change = {
        "scope": scope,
        "version": version + 1,
        "before": before.data if before else None,
        "after": values.model_dump(mode="json"),
    }
    record(session, actor, "plugin.settings_saved", f"plugin:{provider.slug}", change)
    return version + 1


def validated(provider: Provider, data: dict[str, Any]) -> ProviderSettings:
    """The settings object. Raises InvalidInput naming the first field that is wrong."""
    try:
        return provider.settings_model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "settings"
        raise InvalidInput(
            f"{field}: {first['msg']}.", field=field, value=first.get("input")
        ) from error


def remember(session: Session, slug: str, kind: str, plugin: str) -> None:
    """Note a provider that is here for the first time; it starts switched on."""
    row = {"slug": slug, "kind": kind, "plugin": plugin, "enabled": True}
    session.execute(insert(PluginSwitch).values(**row).on_conflict_do_nothing())


def switches(session: Session) -> dict[str, PluginSwitch]:
    """Every provider ever seen, by slug."""
    return {row.slug: row for row in session.scalars(select(PluginSwitch))}


def set_enabled(session: Session, provider: Provider, enabled: bool, actor: str) -> None:
    """Switch a provider that was seen before on or off for new trades."""
    row = session.get(PluginSwitch, provider.slug, with_for_update=True)
    if row is None or row.enabled == enabled:
        return
    row.enabled = enabled
    kind = "plugin.enabled" if enabled else "plugin.disabled"
    record(session, actor, kind, f"plugin:{provider.slug}", {"enabled": enabled})


def _stored_values(provider: Provider, row: PluginSetting) -> ProviderSettings:
    try:
        return provider.settings_model.model_validate(row.data)
    except ValidationError as error:
        raise Unavailable(
            f"The stored settings of {provider.label} do not fit its installed version.",
            field=".".join(str(part) for part in error.errors()[0]["loc"]),
            hint="Open them in the back office, correct the field and save.",
        ) from error


def _check_version(provider: Provider, before: PluginSetting | None, seen: int) -> None:
    now = before.version if before else 0
    if now == seen:
        return
    by = before.changed_by if before else "somebody"
    raise Conflict(
        f"The settings of {provider.label} are at version {now} by now (saved by {by}); "
        f"you edited version {seen}.",
        field="version",
        value=seen,
        hint="Nothing was saved. Load them again, and make your change once more.",
    )


def _insert(
    session: Session,
    provider: Provider,
    scope: str,
    values: ProviderSettings,
    version: int,
    actor: str,
) -> None:
    row = PluginSetting(
        slug=provider.slug,
        scope=scope,
        version=version,
        data=values.model_dump(mode="json"),
        changed_by=actor,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise Conflict(
            f"Somebody saved the settings of {provider.label} at the same moment.",
            field="version",
            value=version - 1,
            hint="Nothing was saved. Load them again, and make your change once more.",
        ) from error
