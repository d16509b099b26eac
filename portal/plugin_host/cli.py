"""`portal plugins list`."""

import click
from sqlalchemy.exc import SQLAlchemyError

from portal.core.db import Database
from portal.core.settings import Settings
from portal.plugin_host import settings_store
from portal.plugin_host.host import PluginHost, allowed_names
from portal.plugin_host.loading import LoadedPlugin, kind_of


def list_plugins(settings: Settings) -> int:
    """Print every plugin found, its providers, and why a refused one is refused.

    Returns 1 if one that PLUGINS_ALLOWED lists was refused, so that scripts notice. Works
    without a database: only whether a provider is switched on is then unknown.
    """
    database = Database(settings.required_database_url)
    try:
        host = PluginHost(settings, database)
        disabled = _disabled(database)
    finally:
        database.dispose()
    for plugin in host.plugins:
        click.echo(_line(plugin))
        for provider in plugin.providers:
            state = "unknown" if disabled is None else "off" if provider.slug in disabled else "on"
            click.echo(f"    {kind_of(provider)} {provider.slug}: {provider.label} [{state}]")
    return int(bool(_failed(settings, host)))


def _line(plugin: LoadedPlugin) -> str:
    source = f"{plugin.distribution} {plugin.version}".strip() or "not installed"
    state = f"refused: {plugin.reason}" if plugin.reason else "loaded"
    return f"{plugin.name} ({source}) {state}"


def _disabled(database: Database) -> set[str] | None:
    try:
        with database.reader() as session:
            rows = settings_store.switches(session)
    except SQLAlchemyError:
        return None
    return {slug for slug, row in rows.items() if not row.enabled}


def _failed(settings: Settings, host: PluginHost) -> list[str]:
    allowed = allowed_names(settings)
    return [p.name for p in host.plugins if p.reason and p.name in allowed]
