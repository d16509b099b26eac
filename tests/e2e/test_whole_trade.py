"""The main job, through the screens: two people trade with each other, staff works beside them."""

from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from portal.core.db import Database
from portal.demo.statement import Credit, camt053
from portal.escrow.chain import ChainClient
from portal.escrow.deployment import load_deployment
from portal.ledger.models import Account
from portal.trades.models import Trade
from portal.users.models import User
from tests.e2e.conftest import ARTEFACTS
from tests.e2e.desk import Desk
from tests.e2e.phone import Phone, Profile
from tests.e2e.portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.chain, pytest.mark.postgres, pytest.mark.slow]

SELLER = Profile("Sally", "Stone", "DE", "DE75512108001245126199")
BUYER = Profile("Ben", "Baker", "NL", "NL02ABNA0123456789")
PICTURES: Path = ARTEFACTS / "whole-trade"


def test_two_phones_and_a_desk_do_a_whole_trade(portal: Portal, browser: Browser) -> None:
    seller = Phone(browser, portal.base_url, SELLER, PICTURES)
    buyer = Phone(browser, portal.base_url, BUYER, PICTURES)
    vaults = {}
    for phone in (seller, buyer):
        phone.sign_up()
        vaults[phone] = phone.make_wallet()
        phone.add_iban()

    compliance = Desk(browser, portal.base_url, "Compliance", PICTURES)
    compliance.log_in()
    for phone in (seller, buyer):
        _set_tier(portal, compliance, phone.profile)

    seller.get_test_coins()
    seller.offer_to_sell("200", "0.9100")
    trade_id = buyer.take_best_offer("100")
    buyer.waits_for_state("awaiting_payment")
    buyer.picture("9-pay")
    assert "".join(buyer.copied("trade-payee-iban").split()) == SELLER.iban
    amount, currency = buyer.copied("trade-amount").split()
    reference = "".join(buyer.copied("trade-reference").split())
    buyer.say_paid()
    buyer.waits_for_state("paid")

    operator = Desk(browser, portal.base_url, "Operator", PICTURES)
    operator.log_in()
    credit = Credit(SELLER.iban, amount, currency, reference, BUYER.legal_name, BUYER.iban)
    operator.open("bank-statements/")
    operator.act("Import a statement", statement=camt053(credit).decode())
    seller.open_trade(trade_id)
    seller.waits_for_state("verified")
    seller.release()
    for phone in (seller, buyer):
        phone.waits_for_state("completed")
        phone.picture("12-completed")
    operator.open(f"trades/{trade_id}")
    operator.picture("trade")
    operator.sees(f"{trade_id}")

    _check_behind_the_screens(portal, trade_id, vaults[seller], vaults[buyer])
    assert len(buyer.transactions()) >= 2
    assert seller.problems + buyer.problems + compliance.problems + operator.problems == []


def _set_tier(portal: Portal, desk: Desk, profile: Profile) -> None:
    database = Database(portal.settings.required_database_url)
    with database.reader() as session:
        user_id = session.scalar(select(User.id).where(User.email == profile.email))
    database.dispose()
    desk.open(f"traders/{user_id}")
    desk.act("Set identity tier", tier="2", reason="Passport seen")
    desk.sees("Passport seen")


def _check_behind_the_screens(
    portal: Portal, trade_id: int, seller_vault: str, buyer_vault: str
) -> None:
    settings = portal.settings
    database = Database(settings.required_database_url)
    with database.reader() as session:
        trade = session.get_one(Trade, trade_id)
        token = load_deployment(session).token("USDT")
        accounts = {
            (row.owner_id, row.kind): row.balance
            for row in session.scalars(select(Account).where(Account.asset == "USDT"))
        }
    database.dispose()
    chain = ChainClient(settings.rpc_urls)
    gets = trade.quantity - trade.buyer_fee
    assert chain.balance_of(token, buyer_vault) == gets == accounts[trade.buyer_id, "available"]
    left = 1000 * 10**6 - trade.escrow_units
    assert chain.balance_of(token, seller_vault) == left
    assert accounts[trade.seller_id, "available"] + accounts[trade.seller_id, "held"] == left
    assert accounts[0, "fee_income"] == trade.buyer_fee + trade.seller_fee > 0
    assert Decimal(trade.fiat_units) == Decimal("9100")
    report = portal.command("audit", "verify")
    assert report.returncode == 0, report.stdout + report.stderr


def test_the_same_through_the_http_api(portal: Portal) -> None:
    report = portal.command("demo", "trade", "--json")
    assert report.returncode == 0, report.stdout + report.stderr
    verified = portal.command("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
