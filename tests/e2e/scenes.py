"""What every end-to-end story begins with: two people who can trade, and a trade to be paid."""

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser
from sqlalchemy import select

from portal.core.db import Database
from portal.users.models import User
from tests.e2e.desk import Desk
from tests.e2e.phone import Phone, Profile
from tests.e2e.portal import Portal

SELLER = Profile("Sally", "Stone", "DE", "DE75512108001245126199")
BUYER = Profile("Ben", "Baker", "NL", "NL02ABNA0123456789")


@dataclass
class Scene:
    """Two phones in the middle of a trade of 100 USDT at 0.9100 EUR, escrow locked."""

    portal: Portal
    browser: Browser
    pictures: Path
    seller: Phone
    buyer: Phone
    seller_vault: str
    buyer_vault: str
    trade_id: int
    desks: list[Desk]

    def desk(self, role: str) -> Desk:
        """A staff member, logged in."""
        desk = Desk(self.browser, self.portal.base_url, role, self.pictures)
        desk.log_in()
        self.desks.append(desk)
        return desk

    def problems(self) -> list[str]:
        """Script errors and requests that left the origin, on any screen."""
        return [
            problem
            for screen in (self.seller, self.buyer, *self.desks)
            for problem in screen.problems
        ]


def trade_to_be_paid(portal: Portal, browser: Browser, pictures: Path) -> Scene:
    """Sign two people up, have staff check them, fund the seller, match, lock the escrow."""
    seller = Phone(browser, portal.base_url, SELLER, pictures)
    buyer = Phone(browser, portal.base_url, BUYER, pictures)
    vaults = []
    for phone in (seller, buyer):
        phone.sign_up()
        vaults.append(phone.make_wallet())
        phone.add_iban()
    scene = Scene(portal, browser, pictures, seller, buyer, *vaults, trade_id=0, desks=[])
    compliance = scene.desk("Compliance")
    for phone in (seller, buyer):
        _set_tier(portal, compliance, phone.profile)
    seller.get_test_coins()
    seller.offer_to_sell("200", "0.9100")
    scene.trade_id = buyer.take_best_offer("100")
    buyer.waits_for_state("awaiting_payment")
    buyer.picture("9-pay")
    return scene


def _set_tier(portal: Portal, desk: Desk, profile: Profile) -> None:
    database = Database(portal.settings.required_database_url)
    with database.reader() as session:
        user_id = session.scalar(select(User.id).where(User.email == profile.email))
    database.dispose()
    desk.open(f"traders/{user_id}")
    desk.act("Set identity tier", tier="2", reason="Passport seen")
    desk.sees("Passport seen")
