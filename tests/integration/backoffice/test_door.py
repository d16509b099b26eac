"""The staff door: three things at once, each code once, nobody else comes in."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.app import create_app, make_services
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.settings import Settings
from portal.users.models import User, UserSession
from portal.users.passwords import hash_password
from portal.users.totp import seal_secret
from tests.integration.backoffice import desk, scenes

pytestmark = pytest.mark.postgres
AsRole = Callable[[str], FlaskClient]
WRONG = "E-mail address, password or code is wrong."


def test_password_and_code_open_the_door(app: Flask) -> None:
    client = app.test_client()
    answer = desk.log_in(client, "admin@demo.test")
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/backoffice/")
    assert "What needs you now" in client.get("/backoffice/").text


@pytest.mark.parametrize("changed", [{"password": "wrong"}, {"code": "000000"}, {"code": ""}])
def test_one_wrong_thing_keeps_it_shut(app: Flask, changed: dict[str, str]) -> None:
    client = app.test_client()
    answer = desk.log_in(client, "admin@demo.test", **changed)
    assert answer.status_code == 401
    assert WRONG in answer.text
    assert client.get("/backoffice/trades/").status_code == 302


def test_a_code_works_once(app: Flask) -> None:
    code = desk.code()
    assert desk.log_in(app.test_client(), "admin@demo.test", code=code).status_code == 302
    again = desk.log_in(app.test_client(), "admin@demo.test", code=code)
    assert again.status_code == 401
    assert WRONG in again.text


def test_guessing_is_stopped_after_five_failures(app: Flask) -> None:
    client = app.test_client()
    for _ in range(5):
        assert desk.log_in(client, "admin@demo.test", password="wrong").status_code == 401
    assert desk.log_in(client, "admin@demo.test").status_code == 429


def test_a_stranger_does_not_lock_staff_out_of_their_own_browser(
    app: Flask, services: desk.DeskServices
) -> None:
    own, stranger = app.test_client(), app.test_client()
    assert desk.log_in(own, "arbiter@demo.test").status_code == 302
    desk.post(own, "/backoffice/logout")
    for _ in range(5):
        desk.log_in(stranger, "arbiter@demo.test", password="wrong")
    assert desk.log_in(stranger, "arbiter@demo.test", code=desk.code(1)).status_code == 429
    assert desk.log_in(own, "arbiter@demo.test", code=desk.code(1)).status_code == 302


def test_one_address_knocks_only_so_often(settings: Settings, database: Database) -> None:
    few = settings.model_copy(update={"rate_limit_auth_per_minute": 3})
    client = create_app(services=make_services(few)).test_client()
    statuses = [desk.log_in(client, f"nobody{number}@demo.test").status_code for number in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert client.get("/backoffice/login").status_code == 200


def test_a_trader_has_no_way_in(app: Flask, services: desk.DeskServices) -> None:
    with services.database.transaction() as session:
        alice = scenes.trader("alice", password=hash_password(desk.PASSWORD))
        session.add(alice)
        session.flush()
        alice.totp_sealed = seal_secret(services.sealer, alice.id, desk.SECRET)
    answer = desk.log_in(app.test_client(), "alice@demo.test")
    assert answer.status_code == 401
    assert WRONG in answer.text


def test_a_forged_session_of_a_trader_is_nobody(app: Flask, services: desk.DeskServices) -> None:
    with services.database.transaction() as session:
        alice = scenes.trader("alice")
        session.add(alice)
        session.flush()
        alice_id = alice.id
    client = app.test_client()
    with client.session_transaction(path="/backoffice/") as forged:
        forged["_user_id"], forged["_fresh"] = str(alice_id), True
    assert client.get("/backoffice/trades/").status_code == 302


def test_the_form_needs_its_token(app: Flask) -> None:
    form = {"email": "admin@demo.test", "password": desk.PASSWORD, "code": desk.code()}
    assert app.test_client().post("/backoffice/login", data=form).status_code == 400


def test_logging_out_ends_the_session_in_the_database(
    as_role: AsRole, services: desk.DeskServices
) -> None:
    client = as_role("Admin")
    stolen = client.get_cookie("otc_staff", path="/backoffice")
    assert stolen is not None
    desk.post(client, "/backoffice/logout")
    client.set_cookie("otc_staff", stolen.value, path="/backoffice")
    assert client.get("/backoffice/trades/").status_code == 302
    with services.database.reader() as session:
        assert session.scalar(select(UserSession.revoked_at)) is not None


def test_a_link_does_not_log_out(as_role: AsRole) -> None:
    client = as_role("Admin")
    assert client.get("/backoffice/logout").status_code in (404, 405)
    assert client.get("/backoffice/trades/").status_code == 200


@pytest.mark.parametrize("end", ["expired", "switched off", "made a trader"])
def test_what_ends_a_session(as_role: AsRole, services: desk.DeskServices, end: str) -> None:
    client = as_role("Admin")
    admin = User.email == "admin@demo.test"
    with services.database.transaction() as session:
        if end == "expired":
            session.execute(update(UserSession).values(expires_at=utc_now()))
        else:
            values = {"active": False} if end == "switched off" else {"kind": "trader"}
            session.execute(update(User).where(admin).values(**values))
    assert client.get("/backoffice/trades/").status_code == 302


def test_after_log_in_one_stays_in_the_back_office(app: Flask) -> None:
    places = {
        "admin": ("/backoffice/trades/?tab=held", "/backoffice/trades/?tab=held"),
        "operator": ("https://evil.example/backoffice/", "/backoffice/"),
        "arbiter": ("//evil.example/backoffice/", "/backoffice/"),
        "support": ("/\\evil.example", "/backoffice/"),
        "auditor": ("/api/v1/me", "/backoffice/"),
    }
    for name, (wanted, led_to) in places.items():
        answer = desk.log_in(app.test_client(), f"{name}@demo.test", next=wanted)
        assert answer.headers["Location"] == led_to


def test_the_cookie_is_out_of_reach_of_scripts_and_other_paths(app: Flask) -> None:
    answer = desk.log_in(app.test_client(), "admin@demo.test")
    (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if "otc_staff" in one]
    for part in ("otc_staff=", "HttpOnly", "SameSite=Lax", "Path=/backoffice"):
        assert part in cookie


CLOSED = (
    "/api/v1/security/login",
    "/backoffice/api/v1/security/login",
    "/backoffice/api/v1/security/refresh",
    "/backoffice/api/v1/security/users/",
    "/backoffice/api/v1/menu/",
    "/backoffice/api/v1/_openapi",
    "/backoffice/users/list/",
    "/backoffice/roles/list/",
    "/users/list/",
    "/login/",
    "/resetpassword/form",
    "/backoffice/resetpassword/form",
)


def test_the_doors_of_flask_appbuilder_are_not_there(as_role: AsRole) -> None:
    client = as_role("Admin")
    form = {"username": "admin", "password": desk.PASSWORD, "provider": "db"}
    headers = {"X-CSRFToken": desk.csrf(client, "/backoffice/")}
    for path in CLOSED:
        assert client.post(path, json=form, headers=headers).status_code == 404, path
        assert client.get(path).status_code == 404, path


def test_no_route_of_flask_appbuilder_is_outside_the_prefix(app: Flask) -> None:
    outside = [
        rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/backoffice")
    ]
    assert outside == []
