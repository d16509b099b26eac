"""The page of providers of one kind: choose one, choose where, change its settings, save.

Saving carries the version that the form was drawn from, so two people can't undo each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from flask import abort, flash, redirect, request, url_for
from sqlalchemy import select

from portal.audit.views import actor
from portal.backoffice import cells, settings_form
from portal.backoffice.context import reader, services, staff
from portal.backoffice.pages import Answer, DeskPage, route, whole_number
from portal.backoffice.panels import Column, Table
from portal.core.errors import InvalidInput, PortalError, Unavailable
from portal.markets.models import Market
from portal.plugin_api import Provider
from portal.plugin_host.models import PluginSetting

EVERYWHERE = ""


@dataclass(frozen=True)
class Editor:
    """Settings being edited: of which provider, where, from which version, with what in them."""

    provider: Provider
    scope: str
    version: int
    own: bool
    nodes: Sequence[settings_form.Node]
    error: PortalError | None = None


class ProvidersPage(DeskPage):
    """Base of Fees, Regions and Payment gateways."""

    kind: ClassVar[type[Provider]]
    scope_word: ClassVar[str] = "market"
    in_force: ClassVar[str] = ""
    empty_text: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.base_permissions.append("can_save")

    @route("/")
    def index(self) -> Answer:
        """The settings of one provider in one place."""
        providers = self.providers()
        if not providers:
            return self._page(None, 200)
        chosen = self._chosen(request.args.get("provider", providers[0].slug))
        return self._page(self._editor(chosen, request.args.get("scope", EVERYWHERE)), 200)

    @route("/save", "POST")
    def save(self) -> Answer:
        """Save the settings that were sent, if nobody saved meanwhile."""
        provider = self._chosen(request.form.get("provider", ""))
        scope = request.form.get("scope", EVERYWHERE)
        try:
            version = self._store(provider, scope)
        except PortalError as error:
            flash(f"{error.message} {error.hint or ''} Nothing was changed.", "harm")
            return self._page(self._refused(provider, scope, error), error.status)
        where = scope or "everywhere"
        flash(f"Version {version} of {provider.label} is saved, {where}. {self.in_force}", "done")
        return redirect(url_for(f"{self.endpoint}.index", provider=provider.slug, scope=scope))

    def providers(self) -> list[Provider]:
        """Those of this page's kind, by label."""
        found = [one for one in services().plugins.providers.values() if isinstance(one, self.kind)]
        return sorted(found, key=lambda one: one.label)

    def scopes(self) -> list[tuple[str, str]]:
        """Where settings may differ: everywhere, and each market or country."""
        if self.scope_word == "market":
            found = list(reader().scalars(select(Market.id).order_by(Market.id)))
        else:
            found = list(
                reader().scalars(
                    select(PluginSetting.scope)
                    .where(PluginSetting.scope != EVERYWHERE)
                    .distinct()
                    .order_by(PluginSetting.scope)
                )
            )
        return [(EVERYWHERE, "Everywhere"), *((one, one) for one in found)]

    def _chosen(self, slug: str) -> Provider:
        chosen = next((one for one in self.providers() if one.slug == slug), None)
        if chosen is None:
            abort(404)
        return chosen

    def _store(self, provider: Provider, scope: str) -> int:
        seen = whole_number(request.form.get("version", ""), "version", least=0, most=2**31)
        data = settings_form.read(provider.settings_schema(), request.form)
        desk = services()
        with desk.database.transaction() as session:
            saved: int = desk.plugins.save_settings(
                session, provider.slug, scope, data, version=seen, actor=f"user:{staff().id}"
            )
        return saved

    def _editor(self, provider: Provider, scope: str) -> Editor:
        scopes = [scope] if scope else []
        try:
            stored = services().plugins.stored_settings(provider.slug, *scopes)
        except Unavailable as problem:
            return self._misfit(provider, scope, problem)
        own = stored.scope == scope and stored.version > 0
        values = stored.values.model_dump(mode="json")
        nodes = settings_form.draw(provider.settings_schema(), values)
        return Editor(provider, scope, stored.version if own else 0, own, nodes)

    def _misfit(self, provider: Provider, scope: str, problem: PortalError) -> Editor:
        """What is stored no longer fits the plugin: show it, so that it can be corrected."""
        newest = _history(provider.slug, scope)
        data = newest[0].data if newest else {}
        nodes = settings_form.draw(provider.settings_schema(), data)
        return Editor(provider, scope, newest[0].version if newest else 0, True, nodes, problem)

    def _refused(self, provider: Provider, scope: str, error: PortalError) -> Editor:
        """What was typed, with the reason beside it."""
        schema = provider.settings_schema()
        try:
            nodes = settings_form.draw(schema, settings_form.read(schema, request.form))
        except InvalidInput:
            return replace(self._editor(provider, scope), error=error)
        seen = request.form.get("version", "0")
        version = int(seen) if seen.isdigit() and len(seen) < 10 else 0
        return Editor(provider, scope, version, True, nodes, error)

    def _page(self, editor: Editor | None, status: int) -> Answer:
        page = self.render(
            "backoffice/providers.html",
            view=self,
            providers=self.providers(),
            scopes=self.scopes(),
            editor=editor,
            may_save=self.appbuilder.sm.has_access("can_save", self.class_permission_name),
            history=_history_table(editor) if editor else None,
            panels=self.panels(editor.provider) if editor else (),
        )
        return page if status == 200 else (page, status)


def _history(slug: str, scope: str) -> list[PluginSetting]:
    return list(
        reader().scalars(
            select(PluginSetting)
            .where(PluginSetting.slug == slug, PluginSetting.scope == scope)
            .order_by(PluginSetting.version.desc())
            .limit(20)
        )
    )


def _history_table(editor: Editor) -> Table:
    rows = _history(editor.provider.slug, editor.scope)
    before = {row.version + 1: row.data for row in rows}
    return Table(
        "Versions",
        (
            Column("Version", lambda row: str(row.version)),
            Column("Saved", lambda row: cells.when(row.at)),
            Column("By", lambda row: actor(row.changed_by)),
            Column("Changed", lambda row: _changes(before.get(row.version), row.data), wide=True),
        ),
        rows,
        "Nobody has saved anything here: the plugin's own defaults count.",
    )


def _changes(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    if before is None:
        return "first version shown"
    changed = [
        f"{name}: {_short(before.get(name))} → {_short(value)}"
        for name, value in after.items()
        if before.get(name) != value
    ]
    return "; ".join(changed) or "nothing"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} rows"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
