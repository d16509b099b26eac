"""A trader and an operator as programs: they use the portal's HTTP doors like everybody else."""

import re
import time
from typing import Any
from uuid import uuid4

import httpx
import pyotp
from eth_account import Account
from eth_account.messages import encode_typed_data

from portal.core.errors import PortalError, Unavailable, from_dict
from portal.demo.people import Person

_STEP = 30
_DESK = "/backoffice"
_CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Codes:
    """One-time codes of a person, never the same one twice."""

    def __init__(self, secret: str) -> None:
        self._totp = pyotp.TOTP(secret)
        self._last = 0

    def next(self) -> str:
        """The code of the earliest time step that was not used; waits until it is acceptable."""
        step = max(int(time.time()) // _STEP, self._last + 1)
        # A code of the coming step is accepted too (clock drift), so the wait is mostly nothing.
        while step > int(time.time()) // _STEP + 1:
            time.sleep(0.2)
        self._last = step
        return self._totp.generate_otp(step)


class Trader:
    """A logged-in trader whose device is this program."""

    def __init__(self, base_url: str, person: Person) -> None:
        self.person = person
        self._codes = Codes(person.totp_secret)
        self._http = httpx.Client(base_url=f"{base_url}/api/v1", timeout=30)
        self._account = Account.from_key(person.wallet_key)
        self._log_in()

    def get(self, path: str, **query: Any) -> Any:
        """GET a resource. Raises the portal's refusal."""
        return _answer(self._http.get(path, params=query))

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST an act, once. Raises the portal's refusal."""
        headers = {"Idempotency-Key": uuid4().hex}
        return _answer(self._http.post(path, json=body or {}, headers=headers))

    def code(self) -> str:
        """A fresh one-time code."""
        return self._codes.next()

    def sign(self, typed_data: dict[str, Any]) -> str:
        """The device's EIP-712 signature."""
        signed = self._account.sign_message(encode_typed_data(full_message=typed_data))
        return "0x" + bytes(signed.signature).hex()

    def sign_for(self, trade_id: int, act: str) -> dict[str, str]:
        """Every signature that an act on a trade needs, by kind."""
        wanted = self.get(f"/trades/{trade_id}/signing", act=act)["typed_data"]
        return {item["kind"]: self.sign(item["typed_data"]) for item in wanted}

    def bind_wallet(self) -> None:
        """Tell the portal this device's key, unless it knows it."""
        if self.get("/me")["wallet"]["address"]:
            return
        address = self._account.address
        typed_data = self.post("/me/wallet/draft", {"address": address})["typed_data"]
        issued_at = int(typed_data["message"]["issuedAt"])
        signature = self.sign(typed_data)
        self.post(
            "/me/wallet", {"address": address, "issued_at": issued_at, "signature": signature}
        )

    def available(self, asset: str) -> str:
        """Available balance as a decimal string."""
        rows = self.get("/me/balances")["balances"]
        return next((str(row["available"]) for row in rows if row["asset"] == asset), "0")

    def _log_in(self) -> None:
        for attempt in range(3):
            body = {"email": self.person.email, "password": self.person.password}
            response = self._http.post("/auth/login", json={**body, "code": self.code()})
            # A code that another run has used is refused once; the next step's is new.
            if response.status_code != httpx.codes.UNAUTHORIZED or attempt == 2:
                break
        session = _answer(response)
        self._http.headers["Authorization"] = f"Bearer {session['token']}"
        self._http.cookies.clear()


class Operator:
    """A staff member at the back office's forms."""

    def __init__(self, base_url: str, person: Person) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=30, follow_redirects=True)
        codes = Codes(person.totp_secret)
        for _ in range(3):
            fields = {"email": person.email, "password": person.password, "code": codes.next()}
            page = self._submit(f"{_DESK}/login", f"{_DESK}/login", fields)
            if not str(page.url).endswith("/login"):
                return
        raise Unavailable(f"The back office does not let {person.email} in.")

    def import_statement(self, content: bytes) -> None:
        """Upload a bank statement. Raises Unavailable when the form is refused."""
        address = f"{_DESK}/bank-statements/"
        files = {"statement": ("statement.xml", content, "application/xml")}
        page = self._submit(
            address, f"{address}act/import_statement", {"method": "sepa"}, files=files
        )
        if page.status_code >= httpx.codes.BAD_REQUEST:
            raise Unavailable(f"The statement was not imported: {page.status_code}.")

    def _submit(
        self, page: str, action: str, fields: dict[str, str], files: dict[str, Any] | None = None
    ) -> httpx.Response:
        found = _CSRF.search(self._http.get(page).text)
        if found is None:
            raise Unavailable(f"The page {page} has no form.")
        return self._http.post(action, data={**fields, "csrf_token": found[1]}, files=files)


def _answer(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else None
    try:
        raise from_dict(response.json()["error"])
    except (ValueError, KeyError):
        raise PortalError(f"The portal answered {response.status_code}.") from None
