"""The main job, through the screens: two people trade with each other, staff works beside them."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from portal.core.db import Database
from portal.demo.statement import Credit, camt053
from portal.escrow.chain.client import ChainClient
from portal.escrow.deployment import load_deployment
from portal.ledger.models import Account
from portal.trades.models import Trade
from tests.e2e.conftest import ARTEFACTS
from tests.e2e.portal import Portal
from tests.e2e.scenes import BUYER, SELLER, Scene, trade_to_be_paid

pytestmark = [pytest.mark.browser, pytest.mark.chain, pytest.mark.postgres, pytest.mark.slow]

PICTURES: Path = ARTEFACTS / "whole-trade"


def test_two_phones_and_a_desk_do_a_whole_trade(portal: Portal, browser: Browser) -> None:
    scene = trade_to_be_paid(portal, browser, PICTURES)
    seller, buyer = scene.seller, scene.buyer
    assert "".join(buyer.copied("trade-payee-iban").split()) == SELLER.iban
    amount, currency = buyer.copied("trade-amount").split()
    reference = "".join(buyer.copied("trade-reference").split())
    buyer.say_paid()
    buyer.waits_for_state("paid")

    operator = scene.desk("Operator")
    credit = Credit(SELLER.iban, amount, currency, reference, BUYER.legal_name, BUYER.iban)
    operator.open("bank-statements/")
    operator.act("Import a statement", statement=camt053(credit).decode())
    seller.open_trade(scene.trade_id)
    seller.waits_for_state("verified")
    seller.release()
    for phone in (seller, buyer):
        phone.waits_for_state("completed")
        phone.picture("12-completed")
    operator.open(f"trades/{scene.trade_id}")
    operator.sees(f"Trade #{scene.trade_id}")
    operator.picture("trade")

    _check_behind_the_screens(scene)
    assert len(buyer.transactions()) >= 2
    assert scene.problems() == []


def _check_behind_the_screens(scene: Scene) -> None:
    settings = scene.portal.settings
    database = Database(settings.required_database_url)
    with database.reader() as session:
        trade = session.get_one(Trade, scene.trade_id)
        token = load_deployment(session).token("USDT")
        accounts = {
            (row.owner_id, row.kind): row.balance
            for row in session.scalars(select(Account).where(Account.asset == "USDT"))
        }
    database.dispose()
    chain = ChainClient(settings.rpc_urls)
    gets = trade.quantity - trade.buyer_fee
    assert chain.balance_of(token, scene.buyer_vault) == gets
    assert accounts[trade.buyer_id, "available"] == gets
    left = 1000 * 10**6 - trade.escrow_units
    assert chain.balance_of(token, scene.seller_vault) == left
    assert accounts[trade.seller_id, "available"] + accounts[trade.seller_id, "held"] == left
    assert accounts[0, "fee_income"] == trade.buyer_fee + trade.seller_fee > 0
    assert trade.fiat_units == 9100
    _audit_is_in_order(scene.portal)


def test_the_same_through_the_http_api(portal: Portal) -> None:
    run = portal.command("demo", "trade", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(run.stdout)
    states = [step["state"] for step in report["states"]]
    assert states[0] == "matched"
    assert states[-3:] == ["verified", "released", "completed"]
    assert all(step["at"] for step in report["states"])
    sent = {row["kind"]: row["hash"] for row in report["escrow"]["transactions"]}
    assert all(sent[kind].startswith("0x") for kind in ("open", "settle"))
    before, after = report["balances"]["before"], report["balances"]["after"]
    assert report["fee"] == {"buyer": "0.200000", "seller": "0.100000"}
    assert _units(after["buyer"]) - _units(before["buyer"]) == 99_800_000
    assert _units(before["seller"]) - _units(after["seller"]) == 100_100_000
    _audit_is_in_order(portal)


def _units(row: dict[str, str]) -> int:
    return int(row["available"].replace(".", ""))


def _audit_is_in_order(portal: Portal) -> None:
    report = portal.command("audit", "verify")
    assert report.returncode == 0, report.stdout + report.stderr
