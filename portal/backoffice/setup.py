"""Puts the back office on a Flask app."""

from collections.abc import Iterator
from typing import Any, cast

from flask import Blueprint, Flask, Response, abort, current_app, request
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import scoped_session, sessionmaker

from portal.api.limits import install_limits
from portal.audit.views import AuditEventView
from portal.backoffice import cells
from portal.backoffice.builder import BackofficeBuilder
from portal.backoffice.context import EXTENSION, Services
from portal.backoffice.errors import show_errors_as_pages
from portal.backoffice.home import HomeView
from portal.backoffice.places import PREFIX
from portal.backoffice.roles import PAGES
from portal.backoffice.search import SearchView
from portal.backoffice.security import StaffSecurityManager
from portal.backoffice.staff import StaffView
from portal.escrow.chain.views import ChainEndpointView, ChainMovementView
from portal.escrow.payouts.views import PayoutStopView
from portal.escrow.views import ChainIntentView, EscrowView
from portal.ledger.views import AccountView, TransferView
from portal.markets.views import JobRunView, MarketView, QuoteView
from portal.orders.views import OrderView
from portal.payments.views import GatewayView, StatementLineView
from portal.plugin_host.views import FeeView, PluginView, RegionView
from portal.trades.views import DisputeView, TradeView
from portal.users.views import PersonView

VIEWS = (
    DisputeView,
    SearchView,
    MarketView,
    OrderView,
    TradeView,
    EscrowView,
    QuoteView,
    PersonView,
    StaffView,
    StatementLineView,
    AccountView,
    TransferView,
    ChainIntentView,
    ChainMovementView,
    PayoutStopView,
    GatewayView,
    FeeView,
    RegionView,
    PluginView,
    JobRunView,
    ChainEndpointView,
    AuditEventView,
)

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def register_backoffice(app: Flask, services: Services) -> BackofficeBuilder:
    """Add the back office under /backoffice; writes nothing to the database.

    Roles and grants come from `permissions.sync_permissions`, which `portal db upgrade` runs.
    """
    app.extensions[EXTENSION] = services
    _configure(app)
    _protect_forms(app)
    install_limits(app, services.settings)
    session = scoped_session(sessionmaker(services.database.engine))
    app.teardown_appcontext(lambda _error: session.remove())
    builder = BackofficeBuilder(
        indexview=HomeView,
        security_manager_class=StaffSecurityManager,
        update_perms=False,
    )
    with app.app_context():
        builder.init_app(app, session)
        _add_pages(builder)
    if type(builder.sm) is not StaffSecurityManager:
        raise RuntimeError(f"The back office runs with {type(builder.sm)}: its door would be open.")
    app.register_blueprint(_own_blueprint())
    return builder


def _configure(app: Flask) -> None:
    app.config["FAB_BASE_TEMPLATE"] = "backoffice/base.html"
    if app.config["WTF_CSRF_CHECK_DEFAULT"] or app.config["FAB_UPDATE_PERMS"]:
        raise RuntimeError("Update the app's configuration with config.flask_config first.")


def _protect_forms(app: Flask) -> None:
    # The traders' API has its own CSRF header; here every write needs the form's token.
    csrf = CSRFProtect(app)

    @app.before_request
    def _check() -> None:
        if request.path == PREFIX or request.path.startswith(PREFIX + "/"):
            csrf.protect()
            # PostgreSQL can't hold this character: nothing that carries it can be right.
            if "\x00" in request.path or any("\x00" in one for one in _texts()):
                abort(400)

    @app.after_request
    def _harden(response: Response) -> Response:
        if request.path.startswith(PREFIX):
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            if "/assets/" not in request.path and "/static/" not in request.path:
                response.headers.setdefault("Cache-Control", "no-store")
        return response


def _texts() -> Iterator[str]:
    for name, values in request.values.lists():
        yield name
        yield from values


def _add_pages(builder: BackofficeBuilder) -> None:
    views = {view.__name__: view for view in VIEWS}
    for page in PAGES:
        if page.view == HomeView.__name__:
            builder.add_link(page.label, href="HomeView.index", category=page.category)
        elif not page.label:
            builder.add_view_no_menu(views[page.view])
        else:
            builder.add_view(views[page.view], page.label, category=page.category)


def _own_blueprint() -> Blueprint:
    own = Blueprint(
        "backoffice",
        __name__,
        url_prefix=PREFIX,
        template_folder="templates",
        static_folder="static",
        static_url_path="/assets",
    )
    show_errors_as_pages(own)

    @own.app_context_processor
    def _pieces() -> dict[str, Any]:
        return {"cells": cells, "navigation": cast(Any, current_app).appbuilder.menu.get_list()}

    @own.route("/<path:anything>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def nowhere(anything: str) -> Response:
        """An address of the back office that doesn't exist."""
        abort(404)

    return own
