"""Other endings, through the screens: a dispute with a staff decision, a buyer who steps back."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from portal.core.db import Database
from portal.demo.people import people
from portal.escrow.chain.client import ChainClient
from portal.escrow.deployment import load_deployment
from tests.e2e.conftest import ARTEFACTS
from tests.e2e.phone import Phone, Profile
from tests.e2e.portal import Portal
from tests.e2e.scenes import Scene, trade_to_be_paid

pytestmark = [pytest.mark.browser, pytest.mark.chain, pytest.mark.postgres, pytest.mark.slow]

PICTURES: Path = ARTEFACTS / "other-endings"


def test_a_dispute_is_decided_for_the_seller_who_signs_for_the_coins(
    portal: Portal, browser: Browser
) -> None:
    scene = trade_to_be_paid(portal, browser, PICTURES)
    seller, buyer = scene.seller, scene.buyer
    buyer.say_paid()
    buyer.waits_for_state("paid")
    seller.open_trade(scene.trade_id)
    seller.waits_for_state("paid")
    seller.dispute("not_received", "My bank shows nothing.")
    seller.waits_for_state("disputed")
    buyer.waits_for_state("disputed")
    buyer.say_in_dispute("I was sure that I had sent it.")

    arbiter = scene.desk("Arbiter")
    arbiter.open(f"disputes/{scene.trade_id}")
    arbiter.sees("I was sure that I had sent it.")
    arbiter.picture("dispute")
    arbiter.act("Decide", outcome="seller", decision="No payment is on the statement.")
    seller.waits_for_state("resolved_seller")
    seller.claim()
    seller.sees("trade-dispute-outcome", "No payment is on the statement.")
    _wait_for_vault(scene, 1000 * 10**6)
    seller.picture("decided")

    report = portal.command("audit", "verify")
    assert report.returncode == 0, report.stdout + report.stderr
    assert scene.problems() == []


def test_a_market_order_takes_a_floating_offer_and_the_buyer_steps_back(
    portal: Portal, browser: Browser
) -> None:
    alice, bob = (_demo_phone(portal, browser, name) for name in ("alice", "bob"))
    alice.page.goto("/wallet")
    alice.tap("wallet-faucet-BTC")
    alice.sees("wallet-balance-BTC", "0.05")
    alice.page.goto("/market/BTC-EUR")
    alice.sees("market-index", "EUR", within_ms=90_000)
    alice.offer_over_the_index("BTC-EUR", "0.01", "1")
    bob.buy_at_market("BTC-EUR", "0.005")
    bob.waits_for_state("awaiting_payment")
    bob.tap("trade-qr-toggle")
    expect(bob.page.get_by_test_id("trade-qr")).to_be_visible()
    bob.cancel()
    bob.waits_for_state("refunded")
    alice.page.goto("/wallet")
    # 0.01 less 0.005 is still on offer, with its highest fee; the rest is hers again.
    alice.sees("wallet-balance-BTC", "0.04495")
    assert alice.problems + bob.problems == []


def _demo_phone(portal: Portal, browser: Browser, name: str) -> Phone:
    person = next(person for person in people() if person.nickname == name)
    profile = Profile(person.first_name, person.last_name, person.country, str(person.iban))
    phone = Phone(browser, portal.base_url, profile, PICTURES)
    phone.log_in(person)
    return phone


def _wait_for_vault(scene: Scene, units: int) -> None:
    """Until the seller's coins are back on chain."""
    settings = scene.portal.settings
    database = Database(settings.required_database_url)
    with database.reader() as session:
        token = load_deployment(session).token("USDT")
    database.dispose()
    chain = ChainClient(settings.rpc_urls)
    for _ in range(200):
        if chain.balance_of(token, scene.seller_vault) == units:
            return
        scene.seller.page.wait_for_timeout(200)
    raise AssertionError(f"the vault holds {chain.balance_of(token, scene.seller_vault)}")
