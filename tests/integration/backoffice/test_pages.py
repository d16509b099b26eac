"""Every page answers, full and empty, to whatever is in its address."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.backoffice.roles import PAGES
from portal.escrow.models import ChainAttempt, ChainIntent
from tests.integration.backoffice import desk, scenes

pytestmark = pytest.mark.postgres
AsRole = Callable[[str], FlaskClient]

RECORDS = (
    "/orders/11",
    "/orders/13",
    "/trades/21",
    "/trades/22",
    "/trades/23",
    "/trades/24",
    "/disputes/23",
    "/markets/USDT-EUR",
    "/markets/BTC-EUR",
    "/prices/1",
    "/prices/2",
    "/escrows/23",
    "/accounts/31",
    "/ledger/42",
    "/chain-transactions/2",
    "/chain-endpoints/0",
    "/vault-movements/1",
    "/payout-stops/1",
    "/payout-stops/2",
    "/bank-statements/1",
    "/jobs/2",
    "/audit/portal@1",
)
LISTS = (
    "/",
    "/disputes/",
    "/markets/",
    "/orders/",
    "/trades/",
    "/escrows/",
    "/prices/",
    "/traders/",
    "/staff/",
    "/bank-statements/",
    "/accounts/",
    "/ledger/",
    "/chain-transactions/",
    "/vault-movements/",
    "/payout-stops/",
    "/chain-endpoints/",
    "/payment-gateways/",
    "/fees/",
    "/regions/",
    "/plugins/",
    "/jobs/",
    "/audit/",
    "/search/",
)
ODD = (
    "?page=0",
    "?page=-1",
    "?page=abc",
    "?page=99999999999999999999",
    "?tab=nothing",
    "?sort=;drop table trade",
    "?sort=-password",
    "?q=%25",
    "?q=" + "9" * 90,
    "?q=99999999999",
    "?q='%22><script>alert(1)</script>",
)


def test_every_page_has_something_to_say_when_empty(as_role: AsRole) -> None:
    client = as_role("Admin")
    assert len(LISTS) == len(PAGES)
    for path in LISTS:
        page = client.get("/backoffice" + path)
        assert page.status_code == 200, path
        assert "</html>" in page.text
    assert "A trade appears as soon as two orders meet." in client.get("/backoffice/trades/").text


def test_every_list_and_record_shows_its_rows(as_role: AsRole, services: desk.DeskServices) -> None:
    scenes.everything(services)
    client = as_role("Admin")
    for path in (*LISTS, *RECORDS):
        for tab in ("", "?tab=all"):
            page = client.get("/backoffice" + path + tab)
            assert page.status_code == 200, path
    trades = client.get("/backoffice/trades/?tab=all").text
    assert len(re.findall(r'class="row-link"', trades)) == 4


def test_odd_addresses_never_break_a_page(as_role: AsRole, services: desk.DeskServices) -> None:
    scenes.everything(services)
    client = as_role("Admin")
    for path in LISTS:
        for odd in ODD:
            assert client.get("/backoffice" + path + odd).status_code in (200, 302), path + odd
        if path == "/":
            continue
        for pk in ("0", "-1", "x", "9" * 18, "9" * 40, "99999999999", "1@1", "%27"):
            assert client.get(f"/backoffice{path}{pk}").status_code in (200, 404), path + pk
        assert client.get(f"/backoffice{path}%00").status_code == 400
        assert client.get(f"/backoffice{path}?q=%00").status_code == 400


def test_what_people_wrote_is_shown_as_text(as_role: AsRole, services: desk.DeskServices) -> None:
    bad = "<script>alert(1)</script>"
    with services.database.transaction() as session:
        eve = scenes.trader("eve", nickname=bad, first_name=bad, country="DE")
        session.add(eve)
        session.flush()
        eve_id = eve.id
    client = as_role("Admin")
    for path in ("/traders/", f"/traders/{eve_id}", "/search/?q=%3Cscript"):
        page = client.get("/backoffice" + path, follow_redirects=True).text
        assert bad not in page
        assert "&lt;script&gt;" in page


def test_pages_allow_no_foreign_code(as_role: AsRole) -> None:
    page = as_role("Admin").get("/backoffice/")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert re.findall(r"<script(?![^>]*\bsrc=)", page.text) == []
    assert re.findall(r'\son\w+="|style="', page.text) == []


def test_a_number_leads_straight_to_its_record(
    as_role: AsRole, services: desk.DeskServices
) -> None:
    scenes.everything(services)
    client = as_role("Admin")
    for text, place in (
        ("23", "/backoffice/trades/23"),
        ("usdt-eur", "/backoffice/markets/USDT-EUR"),
    ):
        assert client.get(f"/backoffice/search/?q={text}").headers["Location"] == place


def test_the_home_page_counts_what_waits(as_role: AsRole, services: desk.DeskServices) -> None:
    scenes.everything(services)
    page = as_role("Admin").get("/backoffice/").text
    for words in ("open dispute", "held trade", "person to check", "failed chain transaction"):
        assert words in page
    assert "No fresh price: htx answered 0 of 3 times." in page


def test_the_chain_page_shows_what_gas_cost_and_says_when_it_is_too_much(
    as_role: AsRole, services: desk.DeskServices
) -> None:
    scenes.everything(services)
    client = as_role("Admin")
    page = client.get("/backoffice/chain-transactions/").text
    assert "Gas paid per day (UTC)" in page
    assert "3,003,420 gwei" in page
    assert "above the day" not in page
    with services.database.transaction() as session:
        attempt = session.scalars(select(ChainAttempt).where(ChainAttempt.number == 2)).one()
        attempt.gas_price = 10**15
        intent_id = attempt.intent_id
    assert "above the day" in client.get("/backoffice/chain-transactions/").text
    shown = client.get(f"/backoffice/chain-transactions/{intent_id}").text
    assert "Attempts" in shown
    assert "replaced" in shown
    assert "143,020,000,000 gwei" in shown
    assert "143,020,000,000 gwei" in client.get("/backoffice/trades/23").text


def test_the_home_page_counts_stuck_transactions(
    as_role: AsRole, services: desk.DeskServices
) -> None:
    with services.database.transaction() as session:
        session.add(ChainIntent(key="k", kind="settle", to_address="0x", data="0x", status="sent",
                                alarm=True))  # fmt: skip
    assert "stuck chain transaction" in as_role("Admin").get("/backoffice/").text


def test_unknown_addresses_are_said_to_be_nothing(as_role: AsRole) -> None:
    answer = as_role("Admin").get("/backoffice/no/such/page")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
