"""Plugins at the desk: what is loaded and why not, switches, fees and regional rules."""

from collections.abc import Sequence
from typing import Any

from flask import redirect, url_for
from sqlalchemy import select

from portal.backoffice import cells
from portal.backoffice.acts import Act, Form
from portal.backoffice.context import reader, services, staff
from portal.backoffice.pages import Answer, DeskPage, open_route, route
from portal.backoffice.panels import Column, Panel, Table
from portal.backoffice.providers import ProvidersPage
from portal.markets.models import Market
from portal.plugin_api import ComplianceRules, FeeModel, Provider
from portal.plugin_host.models import PluginSwitch

_EDITORS = {
    "payment_gateway": "GatewayView",
    "fee_model": "FeeView",
    "compliance_rules": "RegionView",
}


class FeeView(ProvidersPage):
    """What trading costs."""

    route_base = "/fees"
    page_title = "Fees"
    intro = "Each market names the fee model it uses; a model's rates may differ by market."
    kind = FeeModel
    in_force = "The next trade uses it; trades already cleared keep their fee."
    empty_text = "Install a fee model and name it in PLUGINS_ALLOWED."

    def panels(self, record: Any) -> Sequence[Panel]:
        """The markets that use this model."""
        rows = reader().scalars(select(Market).where(Market.fee_model == record.slug))
        return (
            Table(
                "Markets that use this model",
                (
                    Column("Market", lambda market: cells.link("MarketView", market.id, market.id)),
                    Column("Status", lambda market: cells.state(market.status)),
                    Column("Fees at most", lambda row: cells.percent_of_bps(row.max_fee_bps)),
                ),
                list(rows),
                "None.",
            ),
        )


class RegionView(ProvidersPage):
    """Who may trade where, how much."""

    route_base = "/regions"
    page_title = "Regions"
    intro = (
        "The strictest answer of all rules counts: allow, hold for a compliance officer, or deny. "
        "Have counsel review the rules before real use."
    )
    kind = ComplianceRules
    scope_word = "country"
    in_force = "They count for every order and trade from now on."
    empty_text = "Without compliance rules every trade is held. Install one and allow it."


class PluginView(DeskPage):
    """What is installed, what of it is in use, and why the rest is not."""

    route_base = "/plugins"
    page_title = "Plugins"
    intro = (
        "Installing or removing a plugin needs a restart; switching one on or off does not. "
        "A gateway that is switched off still settles its open trades."
    )
    acts = (
        Act("enable", "Switch on", lambda view, slug, values: _switch(slug, True)),
        Act(
            "disable",
            "Switch off",
            lambda view, slug, values: _switch(slug, False),
            harmful=True,
        ),
    )

    @route("/")
    def index(self) -> Answer:
        """All plugins and all providers."""
        return self.render(
            "backoffice/plugins.html",
            view=self,
            plugins=services().plugins.plugins,
            providers=[self._row(switch) for switch in _switches()],
        )

    @open_route("/act/<name>/<slug>", "POST")
    def act(self, name: str, slug: str) -> Answer:
        """Switch a provider on or off."""
        if refusal := self.refusal("can_index"):
            return refusal
        attempt = self.perform(name, self.acts, slug)
        if attempt is not None:
            self.refused(attempt)
        return redirect(url_for(f"{self.endpoint}.index"))

    def _row(self, switch: PluginSwitch) -> dict[str, Any]:
        provider: Provider | None = services().plugins.providers.get(switch.slug)
        act = self.acts[1] if switch.enabled else self.acts[0]
        may = provider is not None and self.may(act)
        address = url_for(f"{self.endpoint}.act", name=act.name, slug=switch.slug)
        return {
            "switch": switch,
            "label": provider.label if provider else switch.slug,
            "kind": switch.kind.replace("_", " "),
            "loaded": provider is not None,
            "form": Form(act, address, (), {}) if may else None,
            "settings": url_for(f"{_EDITORS[switch.kind]}.index", provider=switch.slug)
            if provider
            else None,
        }


def _switches() -> list[PluginSwitch]:
    services().plugins.gateways()  # Notes providers that are here for the first time.
    rows = reader().scalars(select(PluginSwitch).order_by(PluginSwitch.kind, PluginSwitch.slug))
    return list(rows)


def _switch(slug: str, on: bool) -> str:
    desk = services()
    with desk.database.transaction() as session:
        desk.plugins.set_enabled(session, slug, on, actor=f"user:{staff().id}")
    state = "on: new trades use it" if on else "off: no new trades use it, old ones still settle"
    return f"{desk.plugins.provider(slug).label} is {state}."
