"""The configuration of Flask and Flask-AppBuilder, made from the portal's typed settings.

Nothing is set here by hand: `portal.core.settings` names, describes and checks every value, and
refuses an unsafe production before this is asked.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from portal.core.settings import Settings, UnsafeProduction

# Bank statements are the largest thing that anybody uploads.
LARGEST_REQUEST = 16 * 1024 * 1024


def flask_config(settings: Settings) -> dict[str, Any]:
    """What `Flask.config` is updated with. Raises UnsafeProduction naming every problem."""
    if not settings.is_demo and (problems := settings.production_problems()):
        raise UnsafeProduction(problems)
    return {
        "APP_NAME": settings.portal_name,
        "DEBUG": settings.debug,
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "MAX_CONTENT_LENGTH": LARGEST_REQUEST,
        **_session(settings),
        **_appbuilder(),
        **_host(settings),
    }


def _session(settings: Settings) -> dict[str, Any]:
    return {
        "SESSION_COOKIE_NAME": "otc_staff",
        "SESSION_COOKIE_PATH": "/backoffice",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.base_url.startswith("https://"),
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=settings.session_hours),
        # A form may stay open as long as the session lives.
        "WTF_CSRF_TIME_LIMIT": None,
        # The back office checks its own forms; the API has a header of its own.
        "WTF_CSRF_CHECK_DEFAULT": False,
    }


def _appbuilder() -> dict[str, Any]:
    return {
        # Migrations own the schema and `portal db upgrade` the permissions: several web
        # processes starting at once would race, and the first would issue hundreds of queries.
        "FAB_CREATE_DB": False,
        "FAB_UPDATE_PERMS": False,
        "FAB_ADD_SECURITY_API": False,
        "FAB_ADD_SECURITY_VIEWS": False,
    }


def _host(settings: Settings) -> dict[str, Any]:
    address = urlsplit(settings.base_url)
    host: dict[str, Any] = {"PREFERRED_URL_SCHEME": address.scheme}
    if not settings.is_demo:
        # Links in messages are made from the address: nobody else may choose it.
        host["TRUSTED_HOSTS"] = [address.hostname, "127.0.0.1"]
    return host
