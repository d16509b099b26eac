"""Bad input at every endpoint: 4xx in the documented shape, the field named, nothing changed."""

import uuid
from typing import Any

import pytest
from werkzeug.test import TestResponse

from portal.api.spec import COOKIE
from portal.core.clock import now_ms
from tests.integration.api.test_trades import awaiting
from tests.integration.api.world import PASSWORD, Trader, World, order_body

pytestmark = pytest.mark.postgres

HUGE = "1" + "0" * 30
BAD_AMOUNTS = ["-1", "0", HUGE, "NaN", "Infinity", "1e3", "0x10", "1,5", "", " 1", "١", "1.0.0"]
WRONG_TYPES: list[Any] = [1, 1.5, True, None, [], {}, ["1"]]
SIGN_UP = {
    "email": "new@demo.test",
    "password": "a long enough phrase",
    "first_name": "New",
    "last_name": "Person",
    "nickname": "newcomer",
    "country": "DE",
}
LOG_IN = {"email": "alice@demo.test", "password": PASSWORD, "code": "123456"}


def refused(answer: TestResponse, field: str | None = None, status: int | None = None) -> None:
    """A refusal in the documented shape that names `field` and shows no inside."""
    assert 400 <= answer.status_code < 500, answer.text
    assert status is None or answer.status_code == status, answer.text
    error = answer.json["error"]
    assert error["code"]
    assert error["message"]
    assert "Traceback" not in answer.text
    assert answer.headers["X-Request-Id"]
    if field is not None:
        assert (error.get("field") or "").split(".")[0] == field.split(".")[0], error


def test_amounts_of_an_order(world: World, alice: Trader, subtests: pytest.Subtests) -> None:
    for field in ["quantity", "price", "min_trade", "max_trade"]:
        with subtests.test(field=field):
            before = world.row_counts()
            for value in [*BAD_AMOUNTS, *(wrong for wrong in WRONG_TYPES if wrong is not None)]:
                for path in ("/orders", "/orders/quote"):
                    body = order_body(alice) | {field: value}
                    if path.endswith("quote"):
                        body.pop("payment_accounts")
                    refused(alice.post(path, body), field, 422)
            assert world.row_counts() == before


def test_the_other_fields_of_an_order(
    world: World, alice: Trader, subtests: pytest.Subtests
) -> None:
    for field, value, status in [
        ("market", "NO-SUCH", 404),
        ("market", 7, 422),
        ("side", "hold", 422),
        ("order_type", "stop", 422),
        ("price_kind", "swinging", 422),
        ("methods", [], 422),
        ("methods", ["paypal"], 422),
        ("methods", "sepa", 422),
        ("margin_bps", 10**30, 422),
        ("margin_bps", 1.5, 422),
        ("tif", "FOREVER", 422),
        ("take_order", 0, 422),
        ("take_order", -5, 422),
        ("take_order", 10**30, 422),
        ("take_order", 4_000_000_000, 409),
        ("payment_accounts", {}, 422),
        ("payment_accounts", {"sepa": 10**12}, 422),
        ("payment_accounts", {"sepa": -1}, 422),
        ("payment_accounts", {"sepa": "1"}, 422),
        ("authority", {"message": {}, "signature": "0x"}, 422),
        ("authority", "signed", 422),
        ("surprise", 1, 422),
    ]:
        with subtests.test(field=field, value=value, status=status):
            before = world.row_counts()
            refused(alice.post("/orders", order_body(alice) | {field: value}), field, status)
            assert world.row_counts() == before


def test_other_peoples_payment_accounts(world: World, alice: Trader, bob: Trader) -> None:
    before = world.row_counts()
    stolen = order_body(alice, payment_accounts={"sepa": bob.payment_account})
    refused(alice.post("/orders", stolen), "payment_accounts", 422)
    refused(alice.delete(f"/me/payment-accounts/{bob.payment_account}"), "id", 404)
    assert world.row_counts() == before


def test_idempotency_keys(world: World, alice: Trader, subtests: pytest.Subtests) -> None:
    for key in ["", "short", "x" * 65, "white space", "ümlaut-key", "a;b;c;d;e"]:
        with subtests.test(key=key):
            headers = {"Authorization": f"Bearer {alice.token}"}
            if key:
                headers["Idempotency-Key"] = key.encode().decode("latin-1")
            answer = world.client().post("/api/v1/orders", headers=headers, json=order_body(alice))
            refused(answer, "Idempotency-Key", 422)


def test_sign_up(world: World, subtests: pytest.Subtests) -> None:
    for field, value in [
        ("email", "nobody"),
        ("email", "a@b"),
        ("email", "nul\x00@demo.test"),
        ("password", "short"),
        ("password", "123456789012"),
        ("password", "new@demo.test"),
        ("password", "x" * 129),
        ("first_name", "   "),
        ("first_name", "1234"),
        ("last_name", "x" * 65),
        ("nickname", "<script>"),
        ("nickname", "no"),
        ("country", "XX"),
        ("country", "Germany"),
        ("kyc_tier", 3),
    ]:
        with subtests.test(field=field, value=value):
            before = world.row_counts()
            answer = world.client().post("/api/v1/auth/signup", json=SIGN_UP | {field: value})
            refused(answer, field, 422)
            if field == "password":
                assert value not in answer.text
            assert world.row_counts() == before


def test_log_in_fields(world: World, subtests: pytest.Subtests) -> None:
    for field in ["email", "password", "code"]:
        for path in ["/auth/login", "/auth/confirm"]:
            with subtests.test(field=field, path=path):
                for value in WRONG_TYPES:
                    answer = world.client().post(f"/api/v1{path}", json=LOG_IN | {field: value})
                    refused(answer, field, 422)
                missing = {name: value for name, value in LOG_IN.items() if name != field}
                refused(world.client().post(f"/api/v1{path}", json=missing), field, 422)


def test_wallets(world: World, alice: Trader) -> None:
    eve, before = world.trader("Eve"), world.row_counts()
    address = eve.account.address
    data = eve.post("/me/wallet/draft", {"address": address}).json["typed_data"]
    issued_at = int(data["message"]["issuedAt"])
    good = {"address": address, "issued_at": issued_at, "signature": eve.sign(data)}
    for field, value in (
        ("address", "0x12"),
        ("address", "0x" + "0" * 40),
        ("issued_at", now_ms() // 1000 - 3600),
        ("issued_at", now_ms() // 1000 + 3600),
        ("issued_at", -1),
        ("issued_at", "now"),
        ("signature", "0x" + "00" * 65),
        ("signature", "0x" + "ff" * 65),
        ("signature", alice.sign(data)),
        ("signature", "signed"),
    ):
        refused(eve.post("/me/wallet", good | {field: value}), field, 422)
    foreign = alice.account.address
    refused(eve.post("/me/wallet", good | {"address": foreign}), "signature", 422)
    assert world.row_counts() == before
    other = {"address": foreign, "issued_at": issued_at}
    eve.account = alice.account
    data = eve.post("/me/wallet/draft", {"address": foreign}).json["typed_data"]
    other |= {"issued_at": int(data["message"]["issuedAt"]), "signature": eve.sign(data)}
    refused(eve.post("/me/wallet", other), "address", 409)


def test_payment_accounts(world: World, subtests: pytest.Subtests) -> None:
    eve = world.trader("Eve")
    for change, field, status in [
        ({"method": "paypal"}, "slug", 404),
        ({"method": "maker_taker"}, "slug", 404),
        ({"fields": {"iban": "DE00370400440532013000", "holder": "Eve Example"}}, "iban", 422),
        ({"fields": {"iban": "DE89370400440532013000", "holder": "Mallory"}}, "fields", 422),
        ({"fields": {"iban": "DE89370400440532013000"}}, "holder", 422),
        ({"fields": {"iban": 1, "holder": "Eve Example"}}, "fields", 422),
        ({"fields": {}}, "iban", 422),
        ({"fields": []}, "fields", 422),
        ({"label": "x" * 61}, "label", 422),
        ({"label": "nul\x00"}, "label", 422),
    ]:
        with subtests.test(change=change, field=field, status=status):
            fields = {"iban": "DE89370400440532013000", "holder": "Eve Example"}
            before = world.row_counts()
            body = {"method": "sepa", "fields": fields} | change
            refused(eve.post("/me/payment-accounts", body), field, status)
            assert world.row_counts() == before


def test_trade_acts(world: World, alice: Trader, bob: Trader) -> None:
    trade_id = awaiting(world, alice, bob)
    before = world.row_counts()
    at = f"/trades/{trade_id}"
    signature = "0x" + "11" * 65
    for person, act, body, field, status in (
        (bob, "paid", {"signatures": {"settle": signature}}, "signatures", 422),
        (bob, "paid", {"signatures": {"settle": "0x12"}}, "signatures", 422),
        (bob, "paid", {"signatures": {"extra": signature}}, "signatures", 422),
        (bob, "paid", {"proof": "screenshot"}, "proof", 422),
        (bob, "paid", [], "body", 422),
        (alice, "release", {"totp": 123456}, "totp", 422),
        (alice, "release", {"totp": "12345"}, "totp", 422),
        (alice, "release", {}, "totp", 422),
        (bob, "cancel", {"reason": "x" * 401}, "reason", 422),
        (bob, "cancel", {"reason": ["a"]}, "reason", 422),
        (bob, "dispute", {"reason": "bored", "statement": "x"}, "reason", 422),
        (bob, "dispute", {"reason": "other"}, "statement", 422),
        (bob, "dispute", {"reason": "other", "statement": "x"}, "trade", 409),
        (bob, "statements", {"text": ""}, "text", 422),
        (bob, "statements", {"text": "too early"}, "trade_id", 409),
        (bob, "claim", {"signatures": {}}, "trade_id", 409),
        (bob, "claim", {}, "signatures", 422),
    ):
        refused(person.post(f"{at}/{act}", body), field, status)
    assert world.row_counts() == before
    refused(bob.get(f"{at}/signing", act="steal"), "act", 422)
    refused(bob.get(f"{at}/signing"), "act", 422)


def test_unknown_ids(world: World, alice: Trader, subtests: pytest.Subtests) -> None:
    for unknown in ["0", "-1", "999999", HUGE, "abc", "1.5", "%00"]:
        for path in ["/orders/{}", "/trades/{}", "/trades/{}/signing?act=paid"]:
            with subtests.test(unknown=unknown, path=path):
                refused(alice.get(path.format(unknown)), status=404)
        with subtests.test(unknown=unknown, method="PATCH"):
            refused(alice.patch(f"/orders/{unknown}", {"price": "1"}), status=404)


def test_query_parameters(world: World, alice: Trader, subtests: pytest.Subtests) -> None:
    for path, field in [
        ("/markets/BTC-EUR/book?depth=0", "depth"),
        ("/markets/BTC-EUR/book?depth=9999", "depth"),
        ("/markets/BTC-EUR/book?depth=ten", "depth"),
        ("/markets/BTC-EUR/book?colour=red", "colour"),
        ("/markets/BTC-EUR/offers", "side"),
        ("/markets/BTC-EUR/offers?side=up", "side"),
        ("/markets/BTC-EUR/offers?side=buy&quantity=1e9", "quantity"),
        (f"/markets/BTC-EUR/offers?side=buy&quantity={HUGE}", "quantity"),
        ("/markets/BTC-EUR/offers?side=buy&method=%00", "method"),
        ("/orders?status=lost", "status"),
        ("/orders?before=0", "before"),
        (f"/trades?before={HUGE}", "before"),
        ("/trades?open=maybe", "open"),
        ("/me/ledger?before=x", "before"),
        ("/me/ledger?asset=NOTANASSETATALL", "asset"),
        ("/history.csv?from=yesterday", "from"),
        ("/history.csv?to=2026-13-01", "to"),
        ("/me?id=1", "id"),
    ]:
        with subtests.test(path=path, field=field):
            refused(alice.get(path), field, 422)


def test_bodies(world: World, alice: Trader, subtests: pytest.Subtests) -> None:
    for raw, content_type, status in [
        (b"{", "application/json", 422),
        (b"", "application/json", 422),
        (b"null", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'"text"', "application/json", 422),
        (b'{"price": NaN}', "application/json", 422),
        (b'{"email": "\\ud800"}', "application/json", 422),
        (b'{"email": "a\\u0000b"}', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"[" * 5000, "application/json", 422),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "application/json", 422),
        (b"email=a", "application/x-www-form-urlencoded", 422),
        (b"{}", "text/plain", 422),
        (b'{"email": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ]:
        for path in ["/auth/login", "/orders"]:
            with subtests.test(raw=raw, content_type=content_type, status=status, path=path):
                headers = {
                    "Authorization": f"Bearer {alice.token}",
                    "Idempotency-Key": uuid.uuid4().hex,
                }
                answer = world.client().post(
                    f"/api/v1{path}", data=raw, content_type=content_type, headers=headers
                )
                refused(answer, status=status)


def test_sessions_that_are_none(world: World, alice: Trader) -> None:
    for header in ("Bearer nonsense", "Bearer", "Basic YTpi", "Bearer " + "x" * 500):
        answer = world.client().get("/api/v1/me", headers={"Authorization": header})
        refused(answer, status=401)
    refused(world.client().get("/api/v1/me"), status=401)
    client = world.client()
    client.set_cookie(COOKIE, "stolen")
    refused(client.get("/api/v1/me"), status=401)


def test_a_cookie_alone_writes_nothing(world: World, alice: Trader) -> None:
    client, before = world.client(), world.row_counts()
    client.set_cookie(COOKIE, alice.token)
    assert client.get("/api/v1/me").status_code == 200
    for headers in ({}, {"X-CSRF-Token": "guess"}):
        for path in ("/orders", "/me/wallet", "/auth/logout", "/demo/faucet"):
            headers = headers | {"Origin": "https://evil.example", "Idempotency-Key": "k" * 8}
            answer = client.post(f"/api/v1{path}", json=order_body(alice), headers=headers)
            refused(answer, "X-CSRF-Token", 403)
    assert world.row_counts() == before
    token = client.get("/api/v1/auth/session").json["csrf_token"]
    assert client.post("/api/v1/auth/logout", headers={"X-CSRF-Token": token}).status_code == 204
    refused(client.get("/api/v1/me"), status=401)


def test_unknown_addresses_and_methods(world: World, alice: Trader) -> None:
    refused(alice.get("/nothing"), status=404)
    refused(world.client().get("/api/v2/me"), status=404)
    answer = world.client().delete("/api/v1/markets")
    refused(answer, status=405)
    assert "GET" in answer.headers["Allow"]
