"""A trader's phone: the H5 client in a browser context of 390×844, used as a thumb would."""

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from portal.demo.client import Codes
from portal.demo.people import Person

PASSWORD = "a long enough password"
# Locking and settling wait for blocks and for the sweeps that look at them.
CHAIN_MS = 45_000


@dataclass(frozen=True)
class Profile:
    """Who signs up."""

    first_name: str
    last_name: str
    country: str
    iban: str
    email: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "email", f"{self.first_name.lower()}@phone.test")

    @property
    def legal_name(self) -> str:
        """As on the bank account."""
        return f"{self.first_name} {self.last_name}"


class Phone:
    """One person with one device."""

    def __init__(self, browser: Browser, base_url: str, profile: Profile, pictures: Path) -> None:
        self.profile = profile
        self._pictures = pictures
        context = browser.new_context(
            base_url=base_url,
            viewport={"width": 390, "height": 844},
            device_scale_factor=2,
            has_touch=True,
            is_mobile=True,
            locale="en-GB",
        )
        self.problems: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self._check_origin(request.url, base_url))
        self._codes: Codes | None = None

    def _check_origin(self, url: str, base_url: str) -> None:
        if url.startswith("http") and not url.startswith(base_url):
            self.problems.append(f"a request left the origin: {url}")

    def picture(self, name: str) -> None:
        """Keep a screenshot."""
        self._pictures.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._pictures / f"{self.profile.first_name}-{name}.png")

    def tap(self, testid: str) -> None:
        """Press something."""
        self.page.get_by_test_id(testid).first.click()

    def type(self, testid: str, text: str) -> None:
        """Fill a field."""
        self.page.get_by_test_id(testid).first.fill(text)

    def sees(self, testid: str, text: str, *, within_ms: int = 15_000) -> None:
        """Wait until something shows a text."""
        expect(self.page.get_by_test_id(testid).first).to_contain_text(text, timeout=within_ms)

    def read(self, testid: str) -> str:
        """The text of something."""
        return self.page.get_by_test_id(testid).first.inner_text()

    def sign_up(self) -> None:
        """Register, enrol an authenticator, confirm with its code."""
        person = self.profile
        self.page.goto("/signup")
        for name, value in (
            ("first-name", person.first_name),
            ("last-name", person.last_name),
            ("nickname", person.first_name.lower()),
            ("email", person.email),
            ("password", PASSWORD),
        ):
            self.type(f"signup-{name}", value)
        self.page.get_by_test_id("signup-country").select_option(person.country)
        self.picture("1-sign-up")
        self.tap("signup-submit")
        secret = self.page.get_by_test_id("signup-secret").get_attribute("data-secret")
        self._codes = Codes(str(secret))
        self.picture("2-authenticator")
        self.type("signup-code", self.code())
        self.tap("signup-confirm")
        self.page.wait_for_url("**/wallet")

    def log_in(self, person: Person) -> None:
        """As somebody who has signed up before."""
        self._codes = Codes(person.totp_secret)
        self.page.goto("/login")
        self.type("login-email", person.email)
        self.type("login-password", person.password)
        self.type("login-code", self.code())
        self.tap("login-submit")
        self.page.wait_for_url("**/market*")

    def code(self) -> str:
        """A fresh code of the authenticator."""
        assert self._codes is not None
        return self._codes.next()

    def make_wallet(self) -> str:
        """Make the device's key; returns the vault address shown."""
        self.page.goto("/wallet")
        self.tap("wallet-create")
        address = self.page.get_by_test_id("wallet-address").get_by_test_id("copy-value")
        expect(address).to_contain_text("0x")
        self.picture("3-wallet")
        return address.inner_text().strip()

    def add_iban(self) -> None:
        """Add a SEPA account in the person's own name."""
        self.page.goto("/me")
        self.tap("me-account-add")
        self.type("account-iban", self.profile.iban)
        self.type("account-holder", self.profile.legal_name)
        self.picture("4-account")
        self.tap("account-save")
        expect(self.page.get_by_test_id("me-account")).to_have_count(1)

    def get_test_coins(self) -> None:
        """Press the demo's tap and wait for the deposit."""
        self.page.goto("/wallet")
        self.tap("wallet-faucet-USDT")
        self.sees("wallet-balance-USDT", "1,000", within_ms=CHAIN_MS)
        self.picture("5-funded")

    def offer_to_sell(self, quantity: str, price: str) -> None:
        """Post a limit order and sign its authority."""
        self.page.goto("/market/USDT-EUR")
        self.tap("market-post")
        self.tap("order-side-sell")
        self.type("order-price", price)
        self.type("order-quantity", quantity)
        expect(self.page.get_by_test_id("signing-words")).to_be_visible()
        self.picture("6-order")
        self.tap("order-confirm")
        self.page.wait_for_url("**/orders")
        expect(self.page.get_by_test_id("order-card")).to_have_count(1)

    def offer_over_the_index(self, market: str, quantity: str, percent: str) -> None:
        """Post a sell order whose price follows the index."""
        self.page.goto(f"/market/{market}")
        self.tap("market-post")
        self.tap("order-side-sell")
        self.tap("order-kind-floating")
        self.type("order-margin", percent)
        self.type("order-quantity", quantity)
        self.picture("6-floating")
        self.tap("order-confirm")
        self.page.wait_for_url("**/orders")

    def buy_at_market(self, market: str, quantity: str) -> int:
        """Place a market order to buy; returns the number of the trade it made."""
        self.page.goto(f"/market/{market}")
        self.tap("market-post")
        self.tap("order-side-buy")
        self.tap("order-type-market")
        self.type("order-quantity", quantity)
        self.picture("8-market-order")
        self.tap("order-confirm")
        self.page.wait_for_url("**/trades/*")
        return int(self.page.url.rstrip("/").rsplit("/", 1)[1])

    def cancel(self) -> None:
        """Step back from the trade."""
        self.tap("trade-cancel")
        self.picture("10-cancel")
        self.tap("trade-cancel-confirm")

    def take_best_offer(self, quantity: str) -> int:
        """Buy from the first offer in the market; returns the trade's number."""
        self.page.goto("/market/USDT-EUR")
        self.tap("market-side-buy")
        expect(self.page.get_by_test_id("offer-card").first).to_be_visible()
        self.picture("7-market")
        self.tap("offer-take")
        self.type("order-quantity", quantity)
        self.picture("8-take")
        self.tap("order-confirm")
        self.page.wait_for_url("**/trades/*")
        return int(self.page.url.rstrip("/").rsplit("/", 1)[1])

    def open_trade(self, trade_id: int) -> None:
        """Go to the trade room."""
        self.page.goto(f"/trades/{trade_id}")

    def waits_for_state(self, state: str) -> None:
        """Stay in the trade room until the trade is in a state."""
        now = self.page.get_by_test_id("trade-now")
        expect(now).to_have_attribute("data-state", state, timeout=CHAIN_MS)

    def copied(self, testid: str) -> str:
        """The value of a row made for copying."""
        row = self.page.get_by_test_id(testid).get_by_test_id("copy-value")
        return row.inner_text().strip()

    def say_paid(self) -> None:
        """Confirm that the money is sent, and sign."""
        self.tap("trade-paid")
        self.tap("trade-paid-check")
        self.picture("10-paid")
        self.tap("trade-paid-confirm")

    def release(self) -> None:
        """Let the coins go, with a fresh code."""
        self.tap("trade-release")
        self.type("trade-release-code", self.code())
        check = self.page.get_by_test_id("trade-release-check")
        if check.count():
            check.click()
        self.picture("11-release")
        self.tap("trade-release-confirm")

    def dispute(self, reason: str, statement: str) -> None:
        """Ask staff to decide."""
        self.tap("trade-dispute")
        self.tap(f"trade-dispute-{reason}")
        self.type("trade-dispute-statement", statement)
        self.picture("11-dispute")
        self.tap("trade-dispute-confirm")

    def say_in_dispute(self, text: str) -> None:
        """Add a statement."""
        self.type("trade-statement", text)
        self.tap("trade-statement-send")
        self.sees("trade-dispute-panel", text)

    def claim(self) -> None:
        """Sign for what the decision gives."""
        self.tap("trade-claim")
        self.tap("trade-claim-confirm")

    def transactions(self) -> list[str]:
        """Hashes of the trade's chain transactions, as shown."""
        rows = self.page.get_by_test_id("trade-tx")
        return [str(rows.nth(i).get_attribute("data-hash")) for i in range(rows.count())]
