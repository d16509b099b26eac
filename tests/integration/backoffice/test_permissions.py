"""Every view and act is in the table of roles, and the table is what counts."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_appbuilder.security.sqla.models import Role
from sqlalchemy import event, select

from portal.backoffice.permissions import sync_permissions
from portal.backoffice.roles import PAGES, ROLES, STAFF_ROLES, all_grants, grants_of
from portal.backoffice.security import StaffSecurityManager
from tests.integration.backoffice import desk, scenes

pytestmark = pytest.mark.postgres
AsRole = Callable[[str], FlaskClient]
_UNGUARDED = {"UtilView", "StaffDoor"}


def test_the_security_manager_is_ours(app: Flask) -> None:
    assert type(app.appbuilder.sm) is StaffSecurityManager  # type: ignore[attr-defined]


def test_every_permission_of_every_view_is_in_the_table(app: Flask) -> None:
    registered = {
        (permission, type(view).__name__)
        for view in app.appbuilder.baseviews  # type: ignore[attr-defined]
        for permission in view.base_permissions
    }
    menu = app.appbuilder.menu  # type: ignore[attr-defined]
    registered |= {("menu_access", name) for name in menu.get_flat_name_list()}
    assert registered == all_grants()


def test_every_route_needs_a_permission(app: Flask) -> None:
    client = app.test_client()
    open_to_all = {"static", "login", "nowhere"}
    for rule in app.url_map.iter_rules():
        view, _, name = rule.endpoint.rpartition(".")
        if view in _UNGUARDED or name in open_to_all or "GET" not in (rule.methods or ()):
            continue
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        assert client.get(path).headers.get("Location", "").startswith("/backoffice/login"), path


def test_nothing_generic_writes(app: Flask) -> None:
    generic = re.compile(r"\.(add|edit|delete|action|action_post|download)$")
    assert [
        rule.endpoint for rule in app.url_map.iter_rules() if generic.search(rule.endpoint)
    ] == []


def test_syncing_twice_changes_nothing(services: desk.DeskServices) -> None:
    sync_permissions(services.database)
    with services.database.reader() as session:
        for role in session.scalars(select(Role).where(Role.name.in_(ROLES))):
            had = {(one.permission.name, one.view_menu.name) for one in role.permissions}
            assert had == grants_of(role.name)


def test_syncing_takes_back_what_the_table_does_not_give(services: desk.DeskServices) -> None:
    with services.database.transaction() as session:
        roles = {role.name: role for role in session.scalars(select(Role))}
        roles["Support"].permissions = list(roles["Arbiter"].permissions)
    sync_permissions(services.database)
    with services.database.reader() as session:
        support = session.scalars(select(Role).where(Role.name == "Support")).one()
        assert "can_decide" not in {one.permission.name for one in support.permissions}


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_a_role_sees_its_pages_and_no_other(
    role: str, app: Flask, as_role: AsRole, services: desk.DeskServices
) -> None:
    scenes.everything(services)
    client = as_role(role)
    home = client.get("/backoffice/").text
    views = {type(view).__name__: view for view in app.appbuilder.baseviews}  # type: ignore[attr-defined]
    for page in PAGES:
        url = views[page.view].route_base + "/"
        expected = 200 if role in page.sees else 403
        assert client.get(url).status_code == expected, url
        assert (f'href="{url}"' in home) is (expected == 200 and bool(page.label)), url


ACT_URLS = {
    ("TradeView", "clear"): "/backoffice/trades/21/act/clear",
    ("TradeView", "refuse"): "/backoffice/trades/21/act/refuse",
    ("DisputeView", "decide"): "/backoffice/disputes/23/act/decide",
    ("OrderView", "cancel"): "/backoffice/orders/11/act/cancel",
    ("MarketView", "new"): "/backoffice/markets/act/new",
    ("MarketView", "change"): "/backoffice/markets/USDT-EUR/act/change",
    ("MarketView", "halt"): "/backoffice/markets/USDT-EUR/act/halt",
    ("MarketView", "auction"): "/backoffice/markets/USDT-EUR/act/auction",
    ("MarketView", "open"): "/backoffice/markets/BTC-EUR/act/open",
    ("PersonView", "set_tier"): "/backoffice/traders/{alice}/act/set_tier",
    ("StaffView", "set_roles"): "/backoffice/staff/{support}/act/set_roles",
    ("StaffView", "switch_off"): "/backoffice/staff/{support}/act/switch_off",
    ("StaffView", "switch_on"): "/backoffice/staff/{support}/act/switch_on",
    ("StatementLineView", "import_statement"): "/backoffice/bank-statements/act/import_statement",
    ("StatementLineView", "confirm"): "/backoffice/bank-statements/{line}/act/confirm",
    ("StatementLineView", "dismiss"): "/backoffice/bank-statements/{line}/act/dismiss",
    ("ChainIntentView", "retry"): "/backoffice/chain-transactions/{failed_intent}/act/retry",
    ("PayoutStopView", "lift"): "/backoffice/payout-stops/{stop}/act/lift",
    ("GatewayView", "save"): "/backoffice/payment-gateways/save",
    ("FeeView", "save"): "/backoffice/fees/save",
    ("RegionView", "save"): "/backoffice/regions/save",
    ("PluginView", "enable"): "/backoffice/plugins/act/enable/sepa",
    ("PluginView", "disable"): "/backoffice/plugins/act/disable/sepa",
    ("AuditEventView", "verify"): "/backoffice/audit/act/verify",
    ("AuditEventView", "checkpoint"): "/backoffice/audit/act/checkpoint",
}


def test_every_act_has_an_address_here() -> None:
    assert {(page.view, act) for page in PAGES for act in page.acts} == set(ACT_URLS)


@pytest.fixture
def urls(services: desk.DeskServices) -> dict[tuple[str, str], str]:
    """The addresses of all acts, with the ids of this test's rows."""
    ids = scenes.everything(services)
    return {act: url.format(**ids) for act, url in ACT_URLS.items()}


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_whoever_may_not_act_is_refused(
    role: str, as_role: AsRole, services: desk.DeskServices, urls: dict[tuple[str, str], str]
) -> None:
    client = as_role(role)
    for page in PAGES:
        for act, allowed in page.acts.items():
            if role in allowed:
                continue
            answer = desk.post(client, urls[page.view, act], reason="x", decision="x")
            assert answer.status_code == 403, (page.view, act)
    assert services.engine.commands == []


def test_an_act_needs_a_form_with_its_token(
    as_role: AsRole, services: desk.DeskServices, urls: dict[tuple[str, str], str]
) -> None:
    clients = {role: as_role(role) for role in STAFF_ROLES}
    for page in PAGES:
        for act, allowed in page.acts.items():
            client, url = clients[sorted(allowed)[0]], urls[page.view, act]
            assert client.get(url).status_code in (404, 405), url
            assert client.post(url, data={"reason": "x", "decision": "x"}).status_code == 400, url
    assert services.engine.commands == []


def test_a_get_on_an_action_address_runs_nothing(
    as_role: AsRole, services: desk.DeskServices, urls: dict[tuple[str, str], str]
) -> None:
    client = as_role("Operator")
    for path in ("/backoffice/orders/action/cancel/11", "/orderview/action/cancel/11"):
        assert client.get(path).status_code == 404
    assert services.engine.commands == []


def test_permissions_are_read_once_a_request(as_role: AsRole, services: desk.DeskServices) -> None:
    scenes.everything(services)
    client = as_role("Admin")
    statements: list[str] = []

    @event.listens_for(services.database.engine, "before_cursor_execute")
    def _note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    client.get("/backoffice/trades/?tab=all")
    assert len([one for one in statements if "ab_permission_view_role" in one]) == 1
    assert len(statements) <= 15, statements
