"""The desk over a real engine: what staff decides moves the trade, and its pages tell the story."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.audit.models import AuditEvent
from portal.core.db import Database
from portal.core.settings import Settings
from portal.orders.models import Order
from portal.trades.models import Dispute, Trade
from tests.integration.api.test_trades import awaiting, matched, paid, run_jobs
from tests.integration.api.world import IBANS, Trader, World, order_body
from tests.integration.backoffice import desk

pytestmark = pytest.mark.postgres


@dataclass(frozen=True)
class Desk:
    """A portal with two traders and staff."""

    world: World
    alice: Trader
    bob: Trader
    services: desk.DeskServices

    def staff(self, role: str) -> FlaskClient:
        """A colleague's browser."""
        client = desk.make_app(self.services).test_client()
        assert desk.log_in(client, f"{role.lower()}@demo.test").status_code == 302
        return client

    def state(self, trade_id: int) -> str:
        """Where the trade stands."""
        with self.services.database.reader() as session:
            return session.get_one(Trade, trade_id).state


@pytest.fixture
def office(settings: Settings, database: Database) -> Iterator[Desk]:
    """Alice has coins to sell, Bob a bank account to pay from."""
    world = World(settings, database)
    alice = world.outfit(world.trader("Alice"), IBANS[0])
    world.fund(alice, "BTC", 10_000_000)
    bob = world.outfit(world.trader("Bob"), IBANS[1])
    services = desk.DeskServices(settings, database, world.engine, world.plugins, world.sealer)
    desk.add_staff(services)
    yield Desk(world, alice, bob, services)
    world.close()


def _held(office: Desk) -> int:
    """A trade over the limit that its parties' tier has."""
    officer = office.staff("Compliance")
    form = {"tier": "1", "reason": "Passport seen."}
    for person in (office.alice, office.bob):
        answer = desk.post(officer, f"/backoffice/traders/{person.id}/act/set_tier", **form)
        assert answer.status_code == 302
    sell = order_body(office.alice, side="sell", quantity="0.02")
    offer = office.alice.post("/orders", sell)
    assert offer.status_code == 201, offer.text
    take = {"order_type": "market", "price": None, "take_order": offer.json["order"]["id"]}
    placed = office.bob.post("/orders", order_body(office.bob, quantity="0.02", **take))
    assert placed.status_code == 201, placed.text
    trade_id = int(placed.json["trades"][0])
    run_jobs(office.world)
    return trade_id


def test_a_held_trade_goes_on_when_compliance_says_so(office: Desk) -> None:
    trade_id = _held(office)
    assert office.state(trade_id) == "held"
    _forget(office, "compliance@demo.test")
    officer = office.staff("Compliance")
    page = officer.get(f"/backoffice/trades/{trade_id}").text
    assert "Held for a compliance officer" in page
    assert "Let this trade go on" in page
    desk.post(officer, f"/backoffice/trades/{trade_id}/act/clear")
    run_jobs(office.world)
    assert office.state(trade_id) == "awaiting_payment"
    with office.services.database.reader() as session:
        assert session.get_one(Trade, trade_id).buyer_fee > 0


def test_a_held_trade_ends_when_compliance_refuses(office: Desk) -> None:
    trade_id = _held(office)
    _forget(office, "compliance@demo.test")
    officer = office.staff("Compliance")
    url = f"/backoffice/trades/{trade_id}/act/refuse"
    desk.post(officer, url, reason="Source of funds unclear.")
    assert office.state(trade_id) == "cancelled"
    page = officer.get(f"/backoffice/trades/{trade_id}").text
    assert "Source of funds unclear." in page


def test_a_dispute_is_decided_and_paid_out(office: Desk) -> None:
    trade_id = paid(office.world, office.alice, office.bob)
    told = {"reason": "paid_not_released", "statement": "I paid yesterday."}
    assert office.bob.post(f"/trades/{trade_id}/dispute", told).status_code == 200
    answer = office.alice.post(f"/trades/{trade_id}/statements", {"text": "Nothing came."})
    assert answer.status_code == 200
    arbiter = office.staff("Arbiter")
    assert f"#{trade_id}" in arbiter.get("/backoffice/disputes/").text
    page = arbiter.get(f"/backoffice/disputes/{trade_id}").text
    assert page.count("I paid yesterday.") == 1
    assert "Nothing came." in page
    form = {"outcome": "split", "to_buyer": "0.004", "decision": "Only 240 EUR arrived."}
    sent = desk.post(arbiter, f"/backoffice/disputes/{trade_id}/act/decide", **form)
    assert sent.status_code == 302, sent.text
    run_jobs(office.world)
    assert office.state(trade_id) == "resolved_split"
    with office.services.database.reader() as session:
        ticket = session.get_one(Dispute, trade_id)
        assert (ticket.outcome, ticket.to_buyer) == ("split", 400_000)
    shown = arbiter.get(f"/backoffice/disputes/{trade_id}").text
    assert "Only 240 EUR arrived." in shown
    assert "Payout of the decision" in shown
    again = desk.post(arbiter, f"/backoffice/disputes/{trade_id}/act/decide", **form)
    assert again.status_code == 409


def test_an_order_that_staff_cancels_frees_its_coins(office: Desk) -> None:
    offer = office.alice.post("/orders", order_body(office.alice, side="sell")).json["order"]
    operator, page = office.staff("Operator"), f"/backoffice/orders/{offer['id']}"
    desk.post(operator, f"{page}/act/cancel", reason="The price was a typing error.")
    with office.services.database.reader() as session:
        order = session.get_one(Order, offer["id"])
        assert (order.status, order.held) == ("cancelled", 0)
        assert order.reason == "The price was a typing error."
        events = select(AuditEvent).where(AuditEvent.kind == "order.cancelled_by_staff")
        event = session.scalars(events).one()
        assert event.data == {"reason": "The price was a typing error."}
        assert event.actor == f"user:{desk.user(session, 'operator@demo.test').id}"
    told = operator.get(page).text
    for words in ("Placed", "order: cancelled by staff", "Cancelled", "unhold"):
        assert words in told
    assert told.index("Coins of this order") < told.index("unhold") < told.index("What happened")


def test_a_changed_fee_counts_for_the_next_trade(office: Desk) -> None:
    form = {"provider": "maker_taker", "scope": "", "version": "0", "min_fee": "0"}
    operator = office.staff("Operator")
    desk.post(operator, "/backoffice/fees/save", **form, maker_bps="0", taker_bps="50")
    trade_id = awaiting(office.world, office.alice, office.bob)
    with office.services.database.reader() as session:
        trade = session.get_one(Trade, trade_id)
        assert (trade.seller_fee, trade.buyer_fee) == (0, 5_000)


def test_the_pages_tell_a_real_trade_and_the_log_verifies(office: Desk) -> None:
    trade_id = matched(office.world, office.alice, office.bob)
    run_jobs(office.world)
    auditor = office.staff("Auditor")
    page = auditor.get(f"/backoffice/trades/{trade_id}").text
    for words in ("What happened", "Price explained", "escrow lock", "Maker (seller)"):
        assert words in page
    for path in ("/escrows/", "/ledger/", "/accounts/", "/audit/", "/orders/?tab=all"):
        assert auditor.get("/backoffice" + path).status_code == 200
    answer = desk.post(auditor, "/backoffice/audit/act/verify")
    assert answer.status_code == 302, answer.text
    assert "In order:" in auditor.get("/backoffice/audit/").text


def _forget(office: Desk, email: str) -> None:
    """Let the present code work again: tests are faster than thirty seconds a step."""
    with office.services.database.transaction() as session:
        desk.user(session, email).totp_last_step = 0
