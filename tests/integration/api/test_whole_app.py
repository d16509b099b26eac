"""The API inside the whole web process: beside the back office, with the H5 client in front."""

from pathlib import Path

import pytest
from flask import Flask

from portal.api.context import Services
from portal.app import create_app
from portal.core.db import Database
from portal.core.settings import Settings
from tests.integration.api.world import PASSWORD, World

pytestmark = pytest.mark.postgres


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A built client, as small as can be."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>H5</title>")
    (tmp_path / "assets" / "app-1a2b.js").write_text("export {}")
    return tmp_path


def app_of(world: World, settings: Settings) -> Flask:
    home = world.services
    services = Services(settings, home.database, home.engine, home.plugins, home.sealer)
    return create_app(services=services)


@pytest.fixture
def app(world: World, dist: Path) -> Flask:
    """The whole web process with a built client."""
    return app_of(world, world.settings.model_copy(update={"h5_dist": dist}))


def test_form_csrf_of_the_back_office_leaves_the_api_alone(world: World, app: Flask) -> None:
    alice = world.trader("Alice")
    world.forget_codes(alice)
    client = app.test_client()
    body = {"email": alice.email, "password": PASSWORD, "code": alice.code()}
    entered = client.post("/api/v1/auth/login", json=body)
    assert entered.status_code == 200, entered.text
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    assert client.get("/api/v1/me").json["nickname"] == "alice"
    assert client.post("/api/v1/auth/logout").status_code == 403
    headers = {"X-CSRF-Token": entered.json["csrf_token"]}
    assert client.post("/api/v1/auth/logout", headers=headers).status_code == 204
    assert client.get("/api/v1/me").status_code == 401


def test_a_trader_does_not_enter_the_back_office(world: World, app: Flask) -> None:
    alice = world.trader("Alice")
    answer = app.test_client().get("/backoffice/", headers=alice._headers())
    assert answer.status_code in (302, 401, 403)


def test_the_client_is_served_with_its_policy_and_caching(app: Flask) -> None:
    client = app.test_client()
    for path in ("/", "/trades/7", "/markets/USDT-EUR"):
        page = client.get(path)
        assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-cache")
        assert "<title>H5</title>" in page.text
        policy = page.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "connect-src 'self' ws://127.0.0.1:8081;" in policy
    script = client.get("/assets/app-1a2b.js")
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert script.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/missing.js", "/../setup.cfg", "/..%2f..%2fetc/passwd.txt", "/assets/../../x.txt"]
)
def test_no_other_file_is_served(app: Flask, path: str) -> None:
    assert app.test_client().get(path).status_code == 404


def test_a_client_that_is_not_built_says_so(world: World, tmp_path: Path) -> None:
    bare = app_of(world, world.settings.model_copy(update={"h5_dist": tmp_path / "none"}))
    page = bare.test_client().get("/")
    assert page.status_code == 503
    assert "not built" in page.text


def test_https_makes_cookies_secure_and_asks_for_https_only(world: World, dist: Path) -> None:
    changes = {"h5_dist": dist, "public_url": "https://otc.example"}
    app = app_of(world, world.settings.model_copy(update=changes))
    answer = app.test_client().get("/api/v1/config")
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    alice = world.trader("Alice")
    world.forget_codes(alice)
    body = {"email": alice.email, "password": PASSWORD, "code": alice.code()}
    cookie = app.test_client().post("/api/v1/auth/login", json=body).headers["Set-Cookie"]
    assert "Secure" in cookie


def test_too_many_requests_are_told_when_to_come_back(world: World, dist: Path) -> None:
    changes = {"h5_dist": dist, "rate_limit_auth_per_minute": 3, "rate_limit_per_minute": 5}
    client = app_of(world, world.settings.model_copy(update=changes)).test_client()
    for path, allowed in (("/api/v1/auth/login", 3), ("/api/v1/orders/quote", 5)):
        statuses = [client.post(path, json={}).status_code for _ in range(allowed + 1)]
        assert statuses[-1] == 429
        assert 429 not in statuses[:-1]
    assert client.post("/api/v1/auth/login", json={}).headers["Retry-After"] == "60"


def test_a_database_that_is_away_is_503_without_its_words(world: World, dist: Path) -> None:
    settings = world.settings.model_copy(update={"h5_dist": dist})
    away = Database("postgresql://portal:secret@127.0.0.1:1/gone")
    home = world.services
    app = create_app(services=Services(settings, away, home.engine, home.plugins, home.sealer))
    answer = app.test_client().get("/api/v1/markets")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "unavailable")
    assert "127.0.0.1" not in answer.text


def test_every_request_has_an_id(app: Flask) -> None:
    client = app.test_client()
    given = client.get("/api/v1/config", headers={"X-Request-Id": "abcdef12-3456"})
    assert given.headers["X-Request-Id"] == "abcdef12-3456"
    for bad in ("x", "a b c d e f g h i", "<script>alert</script>"):
        made = client.get("/api/v1/config", headers={"X-Request-Id": bad})
        assert made.headers["X-Request-Id"] not in ("", bad)
