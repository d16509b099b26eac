"""A staff member's desk: the back office in a laptop-sized browser."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from portal.demo.client import Codes
from portal.demo.people import people


class Desk:
    """One staff member, by role."""

    def __init__(self, browser: Browser, base_url: str, role: str, pictures: Path) -> None:
        self._person = next(person for person in people() if person.role == role)
        self._pictures = pictures
        context = browser.new_context(
            base_url=base_url, viewport={"width": 1280, "height": 900}, locale="en-GB"
        )
        self.problems: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def picture(self, name: str) -> None:
        """Keep a screenshot."""
        self._pictures.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._pictures / f"{self._person.role}-{name}.png")

    def log_in(self) -> None:
        """Through the staff door, with the second factor."""
        self.page.goto("/backoffice/login")
        self.page.get_by_label("E-mail").fill(self._person.email)
        self.page.get_by_label("Password").fill(self._person.password)
        self.page.get_by_label("Code from your authenticator app").fill(
            Codes(self._person.totp_secret).next()
        )
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(lambda url: not url.endswith("/login"))
        self.picture("home")

    def open(self, path: str) -> None:
        """A page by its address."""
        self.page.goto(f"/backoffice/{path}")

    def act(self, name: str, **values: str) -> None:
        """Open an act's form, fill it in, carry it out."""
        act = self.page.locator("details.act", has_text=name)
        form = act.locator("form")
        if act.get_attribute("open") is None:
            act.locator("summary").click()
        expect(act.get_by_role("button", name=name)).to_be_visible()
        for field, value in values.items():
            control = form.locator(f"[name={field}]")
            if control.evaluate("node => node.tagName") == "SELECT":
                control.select_option(value)
            elif control.get_attribute("type") == "file":
                control.set_input_files(
                    [{"name": "statement.xml", "mimeType": "text/xml", "buffer": value.encode()}]
                )
            else:
                control.fill(value)
        form.get_by_role("button", name=name).click()

    def sees(self, text: str) -> None:
        """Wait for a text on the page."""
        expect(self.page.locator("main, body").first).to_contain_text(text)
