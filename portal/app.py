"""The Flask app: the only place that sees every part."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from config import flask_config
from portal.api import register_api
from portal.api.context import Services
from portal.backoffice.setup import register_backoffice
from portal.core.db import Database
from portal.core.sealed import Sealer
from portal.core.settings import Settings, load_settings
from portal.engine.client import EngineClient
from portal.plugin_host.host import PluginHost


def make_services(settings: Settings) -> Services:
    """What every part of a web process shares."""
    database = Database(settings.required_database_url, pool_size=settings.web_threads)
    return Services(
        settings=settings,
        database=database,
        engine=EngineClient(settings),
        plugins=PluginHost(settings, database),
        sealer=Sealer(settings.master_key.get_secret_value()),
    )


def create_app(settings: Settings | None = None, services: Services | None = None) -> Flask:
    """The whole portal as one WSGI app: API, back office, H5 client.

    Raises UnsafeProduction for a configuration that must not serve real money.
    """
    settings = settings or (services.settings if services else load_settings())
    services = services or make_services(settings)
    app = Flask("portal", static_folder=None)
    app.config.update(flask_config(settings))
    _believe_proxies(app, settings.trusted_proxies)
    app.add_url_rule("/healthz", view_func=_alive)
    register_backoffice(app, services)
    register_api(app, services)
    return app


def _alive() -> dict[str, str]:
    """This process answers. (Whether the whole portal is well is `portal doctor`'s to say.)"""
    return {"status": "ok"}


def _believe_proxies(app: Flask, count: int) -> None:
    # Unset, a stranger's X-Forwarded-For would choose the address that limits are counted by.
    if count:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count)  # type: ignore[method-assign]
