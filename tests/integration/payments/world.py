"""Two people, a market with ledger escrow, a real engine, and trades to be paid."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from portal.core.clock import from_ms
from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.demo.seeding import MARKETS
from portal.engine.local import LocalEngine
from portal.markets.models import AssetRow
from portal.markets.service import save_market
from portal.payments.models import StatementLine
from portal.payments.service import ImportResult, import_statement
from portal.plugin_host.host import PluginHost
from portal.trades.jobs import run_clearing
from portal.trades.models import Trade
from portal.users.models import User
from portal.users.payment_accounts import add_account
from tests.statements import BUYER_IBAN, SELLER_IBAN, Entry, camt053

MARKET = next(market for market in MARKETS if market["id"] == "BTC-EUR")
PRICE = 6_000_000  # 60,000.00 EUR a coin
QUANTITY = 153_000  # costs 91.80 EUR


@dataclass
class Desk:
    """What the payment services are given."""

    settings: Settings
    database: Database
    engine: LocalEngine
    plugins: PluginHost


class World:
    """A portal without its web side."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.database = database
        self.engine = LocalEngine(database)
        self.host = PluginHost(settings, database)
        self.sealer = Sealer(settings.master_key.get_secret_value())
        self.desk = Desk(settings, database, self.engine, self.host)
        self.context = JobContext(settings, database, self.engine, self.host)
        with database.transaction() as session:
            for code, kind, places in (("BTC", "coin", 8), ("EUR", "fiat", 2)):
                session.merge(AssetRow(code=code, name=code, kind=kind, places=places))
        save_market(database, self.engine, settings, "system", MARKET)
        self.seller = self.person("Alice", SELLER_IBAN)
        self.buyer = self.person("Bob", BUYER_IBAN)
        self.engine.submit(
            {
                "kind": "deposit",
                "owner": self.seller[0],
                "asset": "BTC",
                "units": 10**9,
                "reference": "test",
            }
        )

    def person(self, first_name: str, iban: str, **changes: Any) -> tuple[int, int]:
        """A checked trader with a payment account: (user id, account id)."""
        values: dict[str, Any] = {
            "username": first_name.lower(),
            "email": f"{first_name.lower()}@demo.test",
            "first_name": first_name,
            "last_name": "Demo",
            "kind": "trader",
            "country": "DE",
            "kyc_tier": 1,
            "active": True,
            "password": "",
        }
        with self.database.transaction() as session:
            user = User(**(values | changes))
            session.add(user)
            session.flush()
            user_id = int(user.id)
        fields = {"iban": iban, "holder": f"{first_name} Demo", "bic": ""}
        gateway, settings = self.host.gateway("sepa"), self.host.get_settings("sepa")
        account = add_account(self.database, self.sealer, gateway, settings, user_id, fields)
        return user_id, account.id

    def matched(self, quantity: int = QUANTITY) -> int:
        """A trade fresh from the book, still to be cleared."""
        self._order(self.seller, "sell", quantity)
        answer = self._order(self.buyer, "buy", quantity)
        return int(answer["trades"][0])

    def locked(self, quantity: int = QUANTITY) -> int:
        """A trade whose buyer is asked to pay."""
        trade_id = self.matched(quantity)
        run_clearing(self.context)
        self.engine.submit({"kind": "escrow_locked", "trade_id": trade_id, "reference": "ledger"})
        assert self.trade(trade_id).state == "awaiting_payment"
        return trade_id

    def paid(self, quantity: int = QUANTITY) -> int:
        """A trade that the buyer marked as paid."""
        trade_id = self.locked(quantity)
        self.mark_paid(trade_id)
        return trade_id

    def mark_paid(self, trade_id: int) -> None:
        """The buyer says so."""
        self.engine.submit({"kind": "mark_paid", "trade_id": trade_id, "actor": self.buyer[0]})

    def trade(self, trade_id: int) -> Trade:
        """The trade's row."""
        with self.database.reader() as session:
            return session.get_one(Trade, trade_id)

    def entry(self, trade_id: int, **changes: Any) -> Entry:
        """The bank's entry for the right payment of a trade."""
        trade = self.trade(trade_id)
        right: dict[str, Any] = {
            "amount": f"{trade.fiat_units // 100}.{trade.fiat_units % 100:02d}",
            "reference": self.host.gateway("sepa").reference(trade_id),
            "bank_ref": f"BANK-{trade_id}",
            "booked": from_ms(trade.created_ms).date().isoformat(),
        }
        return Entry(**(right | changes))

    def bank_says(self, *entries: Entry, message_id: str = "MSG-1", **file: Any) -> ImportResult:
        """Import a statement with these entries."""
        content = camt053(*entries, message_id=message_id, **file)
        return import_statement(self.desk, "user:99", "statement.xml", content)

    def lines(self) -> list[StatementLine]:
        """All lines, oldest first."""
        with self.database.reader() as session:
            return list(session.scalars(select(StatementLine).order_by(StatementLine.id)))

    def _order(self, person: tuple[int, int], side: str, quantity: int) -> dict[str, Any]:
        user_id, account = person
        return self.engine.submit(
            {
                "kind": "place_order",
                "owner": user_id,
                "market": "BTC-EUR",
                "side": side,
                "order_type": "limit",
                "price": PRICE,
                "quantity": quantity,
                "methods": ["sepa"],
                "accounts": {"sepa": account},
                "max_fee_bps": 100,
            }
        )
