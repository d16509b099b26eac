"""Putting the API, its glue and the H5 client onto a Flask app."""

import json
from pathlib import Path

from flask import Blueprint, Flask, request
from flask_wtf.csrf import CSRFProtect

import portal.audit.api
import portal.escrow.api
import portal.ledger.api
import portal.markets.api
import portal.orders.api
import portal.trades.api
import portal.users.api
import portal.users.api_keys_api
from portal.api import meta
from portal.api.client_app import serve_client
from portal.api.context import EXTENSION, Services
from portal.api.failures import PREFIX, show_errors_as_json
from portal.api.headers import install_headers
from portal.api.limits import install_limits
from portal.api.openapi import document
from portal.api.reading import MAX_BODY_BYTES
from portal.core.settings import Settings

_WINGS = (
    meta.blueprint,
    portal.markets.api.blueprint,
    portal.users.api.blueprint,
    portal.users.api_keys_api.blueprint,
    portal.ledger.api.blueprint,
    portal.orders.api.blueprint,
    portal.trades.api.blueprint,
    portal.escrow.api.blueprint,
    portal.audit.api.blueprint,
)


def register(app: Flask, services: Services) -> None:
    """Make `app` answer under /api/v1, and with the H5 client everywhere nobody else does.

    Call it after form CSRF protection is installed: the API has its own and is taken out.
    """
    app.extensions[EXTENSION] = services
    install_headers(app, services.settings)
    install_limits(app, services.settings)
    api = _endpoints(app)
    _leave_form_csrf(app, api)
    serve_client(app, services.settings)


def bare_app(settings: Settings) -> Flask:
    """An app with the endpoints alone, enough to describe them; it can't serve them."""
    app = Flask("portal", static_folder=None)
    _endpoints(app)
    return app


def dump(settings: Settings, target: Path = Path("h5_client/openapi.json")) -> Path:
    """Write the document where the H5 client generates its types from; needs no database."""
    target.write_text(json.dumps(document(bare_app(settings)), indent=2) + "\n")
    return target


def _endpoints(app: Flask) -> Blueprint:
    api = Blueprint("api", "portal.api", url_prefix=PREFIX)
    for wing in _WINGS:
        api.register_blueprint(wing)
    api.before_request(_limit_body)
    show_errors_as_json(app, api)
    app.register_blueprint(api)
    return api


def _limit_body() -> None:
    request.max_content_length = MAX_BODY_BYTES


def _leave_form_csrf(app: Flask, api: Blueprint) -> None:
    csrf: CSRFProtect | None = app.extensions.get("csrf")
    if csrf is None:
        return
    for name, view in app.view_functions.items():
        if name.startswith(f"{api.name}."):
            csrf.exempt(view)
