"""Who gets in, and what strangers can find out or break without getting in."""

from pathlib import Path

import pytest
from sqlalchemy import update

from portal.api.context import Services
from portal.app import create_app
from portal.orders import person
from portal.users.models import User
from tests.integration.api.world import PASSWORD, Trader, World, order_body

pytestmark = pytest.mark.postgres
LOG_IN = "/api/v1/auth/login"


def test_a_session_of_staff_is_none_here(world: World) -> None:
    arbiter = world.trader("Arno")
    with world.database.transaction() as session:
        session.execute(update(User).where(User.id == arbiter.id).values(kind="staff"))
    answer = arbiter.get("/me")
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "unauthorized")


def test_a_stranger_does_not_lock_a_person_out_of_their_own_browser(world: World) -> None:
    alice = world.trader("Alice")
    browser, stranger = world.client(), world.client()
    wrong = {"email": alice.email, "password": "wrong password", "code": "000000"}

    def right() -> dict[str, str]:
        world.forget_codes(alice)
        return {"email": alice.email, "password": PASSWORD, "code": alice.code()}

    assert browser.post(LOG_IN, json=right()).status_code == 200
    kept = browser.get_cookie("otc_device", path="/api/v1/auth")
    assert kept is not None
    assert kept.http_only
    assert kept.same_site == "Strict"
    for _ in range(5):
        assert stranger.post(LOG_IN, json=wrong).status_code == 401
    assert stranger.post(LOG_IN, json=right()).status_code == 429
    browser.delete_cookie("otc_session")
    assert browser.post(LOG_IN, json=right()).status_code == 200
    browser.delete_cookie("otc_session")
    # And whoever sits at that browser guesses no faster than anybody else.
    for _ in range(5):
        assert browser.post(LOG_IN, json=wrong).status_code == 401
    assert browser.post(LOG_IN, json=right()).status_code == 429


def test_the_mark_of_a_browser_counts_for_its_own_person_only(world: World) -> None:
    alice, bob = world.trader("Alice"), world.trader("Bob")
    browser = world.client()
    world.forget_codes(bob)
    own = {"email": bob.email, "password": PASSWORD, "code": bob.code()}
    assert browser.post(LOG_IN, json=own).status_code == 200
    browser.delete_cookie("otc_session")
    wrong = {"email": alice.email, "password": "wrong password", "code": "000000"}
    for _ in range(5):
        assert browser.post(LOG_IN, json=wrong).status_code == 401
    assert world.client().post(LOG_IN, json=wrong).status_code == 429
    for bad in ("nonsense", "AQ==", "é", "A" * 3000):
        guesser = world.client()
        guesser.set_cookie("otc_device", bad, path="/api/v1/auth")
        assert guesser.post(LOG_IN, json=wrong).status_code == 429


def test_addresses_of_one_ipv6_network_are_one_guesser(world: World, tmp_path: Path) -> None:
    settings = world.settings.model_copy(
        update={"rate_limit_auth_per_minute": 3, "h5_dist": tmp_path}
    )
    home = world.services
    app = create_app(
        services=Services(settings, home.database, home.engine, home.plugins, home.sealer)
    )
    client = app.test_client()

    def knock(address: str) -> int:
        return client.post(LOG_IN, json={}, environ_base={"REMOTE_ADDR": address}).status_code

    statuses = [knock(f"2001:db8:0:1::{number}") for number in range(1, 5)]
    assert statuses == [422, 422, 422, 429]
    assert knock("2001:db8:0:2::1") == 422
    assert knock("192.0.2.7") == 422


def test_the_openapi_document_counts_as_a_request(world: World, tmp_path: Path) -> None:
    settings = world.settings.model_copy(update={"rate_limit_per_minute": 2, "h5_dist": tmp_path})
    home = world.services
    app = create_app(
        services=Services(settings, home.database, home.engine, home.plugins, home.sealer)
    )
    client = app.test_client()
    statuses = [client.get("/api/v1/openapi.json").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_files_outside_the_client_are_not_told_apart(world: World, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / "index.html").write_text("<!doctype html><title>H5</title>")
    (tmp_path / "secret").write_text("x")
    settings = world.settings.model_copy(update={"h5_dist": dist})
    home = world.services
    app = create_app(
        services=Services(settings, home.database, home.engine, home.plugins, home.sealer)
    )
    client = app.test_client()
    there, not_there = (client.get(f"/..%2f{name}") for name in ("secret", "absent"))
    assert (there.status_code, there.text) == (not_there.status_code, not_there.text)


@pytest.mark.parametrize("path", ["/markets/USDT%00", "/markets/%00/book"])
def test_a_nul_in_an_address_is_nobodys_mistake_but_the_callers(world: World, path: str) -> None:
    answer = world.client().get("/api/v1" + path)
    assert (answer.status_code, answer.json["error"]["field"]) == (422, "market_id")


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_history_up_to_any_day_there_is(alice: Trader, day: str) -> None:
    assert alice.get("/history.csv", to=day).status_code == 200
    assert alice.get("/history.csv", **{"from": day}).status_code == 200


def test_nobody_fills_the_book_alone(bob: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person, "MOST_OPEN_ORDERS", 2)
    for _ in range(2):
        placed = bob.post("/orders", order_body(bob))
        assert placed.status_code == 201, placed.text
    refused = bob.post("/orders", order_body(bob))
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "conflict")
    assert bob.post(f"/orders/{placed.json['order']['id']}/cancel").status_code == 200
    assert bob.post("/orders", order_body(bob)).status_code == 201
