"""The configuration of Flask: from settings, and never for an unsafe production."""

import pytest

from config import flask_config
from portal.core.settings import Settings, UnsafeProduction


def test_a_demo_gets_a_complete_configuration() -> None:
    values = flask_config(Settings(_env_file=None))
    assert values["FAB_UPDATE_PERMS"] is False
    assert values["FAB_CREATE_DB"] is False
    assert values["SESSION_COOKIE_HTTPONLY"] is True
    assert values["SESSION_COOKIE_SECURE"] is False


def test_https_makes_cookies_secure() -> None:
    values = flask_config(Settings(_env_file=None, public_url="https://otc.example"))
    assert values["SESSION_COOKIE_SECURE"] is True
    assert values["PREFERRED_URL_SCHEME"] == "https"


def test_an_unsafe_production_is_refused_with_every_reason() -> None:
    settings = Settings(_env_file=None, portal_env="production", debug=True)
    with pytest.raises(UnsafeProduction) as refused:
        flask_config(settings)
    for name in ("SECRET_KEY", "MASTER_KEY", "ENGINE_TOKEN", "DEBUG", "PUBLIC_URL"):
        assert name in str(refused.value)
