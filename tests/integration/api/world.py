"""A portal behind its HTTP API, with people in it; no chain is running, its contracts are known."""

import itertools
import uuid
from typing import Any

import pyotp
from eth_account import Account
from eth_utils.conversions import to_hex
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from portal.api import register_api
from portal.api.context import Services
from portal.core.clock import now_ms, utc_now
from portal.core.db import Database
from portal.core.jobs import Engine
from portal.core.money import Money
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.demo.seeding import ASSETS, MARKETS
from portal.engine.local import LocalEngine
from portal.escrow import typed_data
from portal.escrow.deployment import Deployment, save_deployment
from portal.markets.assets import asset
from portal.markets.models import AssetRow, Market
from portal.markets.rules import MarketValues
from portal.markets.service import save_market
from portal.plugin_host.host import PluginHost
from portal.users.models import User
from portal.users.passwords import hash_password
from portal.users.signup import trader_role
from portal.users.totp import new_secret, seal_secret
from tests.factories.board import ShownEngine

PASSWORD = "correct horse battery staple"
PASSWORD_HASH = hash_password(PASSWORD)
ESCROW = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
TOKEN = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
IBANS = ("DE89370400440532013000", "FR1420041010050500013M02606", "NL91ABNA0417164300")
_STEP = itertools.count(1)


class Trader:
    """A person with an authenticator, a wallet and a bearer token."""

    def __init__(self, client: FlaskClient, user_id: int, email: str, secret: str) -> None:
        self.client, self.id, self.email, self.secret = client, user_id, email, secret
        self.account = Account.create()
        self.token = ""
        self.payment_account = 0

    def get(self, path: str, **query: Any) -> TestResponse:
        """GET as this person."""
        return self.client.get(
            "/api/v1" + path, headers=self._headers(), query_string=query or None
        )

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> TestResponse:
        """POST as this person, with a fresh idempotency key unless one is given."""
        headers = self._headers() | {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.client.post("/api/v1" + path, headers=headers, json=body)

    def patch(self, path: str, body: Any = None, *, key: str | None = None) -> TestResponse:
        """PATCH as this person, with a fresh idempotency key unless one is given."""
        headers = self._headers() | {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.client.patch("/api/v1" + path, headers=headers, json=body)

    def delete(self, path: str, **query: Any) -> TestResponse:
        """DELETE as this person."""
        return self.client.delete(
            "/api/v1" + path, headers=self._headers(), query_string=query or None
        )

    def sign(self, data: Any) -> str:
        """Sign typed data as a wallet does."""
        return to_hex(self.account.unsafe_sign_hash(typed_data.digest(data)).signature)

    def code(self) -> str:
        """The authenticator's present code."""
        return pyotp.TOTP(self.secret).now()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


class World:
    """The portal: markets open, prices known, contracts recorded."""

    def __init__(
        self, settings: Settings, database: Database, engine: Engine | None = None
    ) -> None:
        self.settings, self.database = settings, database
        self.ahead_ms = 0
        engine = engine or LocalEngine(database, clock=lambda: now_ms() + self.ahead_ms)
        self.engine = ShownEngine(engine, database)
        self.sealer = Sealer(settings.master_key.get_secret_value())
        self.plugins = PluginHost(settings, database)
        self.services = Services(settings, database, self.engine, self.plugins, self.sealer)
        self.app = Flask("portal-test", static_folder=None)
        register_api(self.app, self.services)
        self._markets()

    def close(self) -> None:
        """Let go of the database."""
        self.engine.close()

    def client(self) -> FlaskClient:
        """A browser of its own."""
        return self.app.test_client()

    def _markets(self) -> None:
        with self.database.transaction() as session:
            for code, name, kind, places in ASSETS:
                session.merge(AssetRow(code=code, name=name, kind=kind, places=places))
            save_deployment(session, Deployment(31337, ESCROW, {"USDT": TOKEN}, 1))
        for values in MARKETS:
            save_market(self.database, self.engine, self.settings, "system", values)
        self.tick("USDT-EUR", 9_200)
        self.tick("BTC-EUR", 6_000_000)

    def tick(self, market: str, price: int | None, reason: str | None = None) -> None:
        """A new index price."""
        command = {"kind": "index_tick", "market": market, "price": price, "reason": reason}
        self.engine.submit(command)

    def pass_time(self, milliseconds: int) -> None:
        """Let the engine's clock be later, and what is due happen."""
        self.ahead_ms += milliseconds
        self.engine.submit({"kind": "clock_tick"})

    def change_market(self, market: str, **changes: Any) -> None:
        """Change a market's terms as staff does."""
        with self.database.reader() as session:
            row = session.get_one(Market, market)
            version, base = row.version, asset(session, row.base)
            values = {name: getattr(row, name) for name in MarketValues.__slots__}
        for name in ("lot", "min_trade", "max_trade"):
            values[name] = Money(base, values[name]).text()
        values |= changes
        save_market(self.database, self.engine, self.settings, "system", values, version=version)

    def trader(self, first_name: str, *, country: str = "DE", tier: int = 2) -> Trader:
        """A confirmed trader, logged in, without wallet, coins or payment account."""
        secret, email = new_secret(), f"{first_name.lower()}@demo.test"
        with self.database.transaction() as session:
            user = User(
                username=first_name.lower(),
                nickname=first_name.lower(),
                email=email,
                first_name=first_name,
                last_name="Example",
                country=country,
                kind="trader",
                kyc_tier=tier,
                active=True,
                password=PASSWORD_HASH,
                totp_confirmed=utc_now(),
                roles=[trader_role(session)],
            )
            session.add(user)
            session.flush()
            user.totp_sealed = seal_secret(self.sealer, user.id, secret)
            person = Trader(self.client(), user.id, email, secret)
        person.token = self.log_in(person)
        return person

    def log_in(self, person: Trader) -> str:
        """A bearer token by password and code. The codes used before don't count."""
        self.forget_codes(person)
        body = {"email": person.email, "password": PASSWORD, "code": person.code()}
        answer = self.client().post("/api/v1/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        self.forget_codes(person)
        return str(answer.json["token"])

    def forget_codes(self, person: Trader) -> None:
        """Let the present code work again: tests are faster than thirty seconds a step."""
        with self.database.transaction() as session:
            session.get_one(User, person.id).totp_last_step = 0

    def outfit(self, person: Trader, iban: str = IBANS[0]) -> Trader:
        """Give a person a bound wallet and a SEPA account."""
        draft = person.post("/me/wallet/draft", {"address": person.account.address}).json
        data = draft["typed_data"]
        bound = {
            "address": person.account.address,
            "issued_at": int(data["message"]["issuedAt"]),
            "signature": person.sign(data),
        }
        assert person.post("/me/wallet", bound).status_code == 200
        holder = f"{person.get('/me').json['first_name']} Example"
        added = person.post(
            "/me/payment-accounts", {"method": "sepa", "fields": {"iban": iban, "holder": holder}}
        )
        assert added.status_code == 201, added.text
        person.payment_account = added.json["id"]
        return person

    def fund(self, person: Trader, asset: str, units: int) -> None:
        """Coins arrive."""
        self.engine.submit(
            {
                "kind": "deposit",
                "owner": person.id,
                "asset": asset,
                "units": units,
                "reference": f"test:{next(_STEP)}",
            }
        )

    def row_counts(self) -> dict[str, int]:
        """Rows of every table but those that only say that somebody was here."""
        passing = {"login_attempt", "idempotency_key", "audit_event", "plugin_switch"}
        with self.database.reader() as session:
            names = session.scalars(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ).all()
            return {
                name: session.scalar(select(func.count()).select_from(text(f'"{name}"'))) or 0
                for name in sorted(set(names) - passing)
            }


def order_body(person: Trader, **changes: Any) -> dict[str, Any]:
    """A buy order on the ledger market, with changes."""
    body: dict[str, Any] = {
        "market": "BTC-EUR",
        "side": "buy",
        "order_type": "limit",
        "price_kind": "fixed",
        "price": "60000",
        "quantity": "0.01",
        "methods": ["sepa"],
        "payment_accounts": {"sepa": person.payment_account},
    }
    body.update(changes)
    return {name: value for name, value in body.items() if value is not None}
