"""Everything a trade on chain needs, with one line per step."""

import threading
from dataclasses import replace
from typing import Any

from eth_account import Account
from eth_utils.conversions import to_hex
from sqlalchemy import select

from portal.core.clock import now_ms
from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.local import LocalEngine
from portal.escrow import authorities, jobs, service, typed_data
from portal.escrow.chain.client import ChainClient, encode_call
from portal.escrow.chain.intents import attempts_of
from portal.escrow.chain.relayer import Policy, Relayer
from portal.escrow.contract import EscrowContract
from portal.escrow.demo import DEV_DEPLOYER, ensure_demo_deployment, mint_demo_coins
from portal.escrow.models import ChainAttempt, ChainIntent, EscrowRecord
from portal.escrow.reconcile import chain_balance_differences
from portal.escrow.signers.chosen import relayer
from portal.escrow.typed_data import TypedData
from portal.markets.models import AssetRow, Market
from portal.trades.models import Trade
from portal.users.models import User
from tests.factories import engine as commands
from tests.factories.engine import USDT

SELLER_FEE, BUYER_FEE = 200_000, 300_000
QUANTITY = 100 * USDT
ESCROWED = QUANTITY + SELLER_FEE
FEE = SELLER_FEE + BUYER_FEE
FUNDED = 500 * USDT
DEAD = "0x000000000000000000000000000000000000dEaD"


class Person:
    """Somebody with a wallet key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.account = Account.create()
        self.id = 0

    def sign(self, data: TypedData) -> str:
        """Sign as a wallet does."""
        return to_hex(self.account.unsafe_sign_hash(typed_data.digest(data)).signature)


class World:
    """The portal's escrow with its neighbours; `clock` moves the engine and, by warp, the chain."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database = settings, database
        self.skipped_ms = 0
        self.engine = LocalEngine(database, clock=lambda: now_ms() + self.skipped_ms)
        self.context = JobContext(settings, database, self.engine, None)
        self.client = ChainClient(settings.rpc_urls)
        self.deployment = ensure_demo_deployment(settings, database)
        self.contract = EscrowContract(self.client, self.deployment)
        self.alice, self.bob = Person("alice"), Person("bob")
        self._people()
        self._market()
        self.fund(self.alice, FUNDED)

    def close(self) -> None:
        """Let go of the database."""
        self.engine.close()

    def _people(self) -> None:
        for person in (self.alice, self.bob):
            self.join(person)

    def join(self, person: Person) -> None:
        """A person becomes a trader whose wallet is known."""
        with self.database.transaction() as session:
            user = User(
                first_name=person.name,
                last_name="Test",
                username=person.name,
                email=f"{person.name}@test.test",
                active=True,
                kind="trader",
                wallet_address=person.account.address,
            )
            session.add(user)
            session.flush()
            person.id = user.id

    def _market(self) -> None:
        self.define(commands.define_market(escrow="evm"))

    def define(self, terms: dict[str, Any]) -> None:
        """A market, in its table and in the engine."""
        row = {k: v for k, v in terms.items() if k not in ("kind", "base_places", "quote_places")}
        with self.database.transaction() as session:
            session.merge(AssetRow(code="USDT", name="Tether", kind="coin", places=6))
            session.merge(AssetRow(code="EUR", name="Euro", kind="fiat", places=2))
            session.flush()
            session.merge(Market(**row, fee_model="maker_taker", sources=[]))
        self.engine.submit(terms)

    def fund(self, person: Person, units: int) -> None:
        """Mint into a person's vault and have the ledger notice."""
        vault = self.vault(person)
        mint_demo_coins(self.settings, self.database, self.deployment, vault, units)
        jobs.scan_deposits(self.context)

    def vault(self, person: Person) -> str:
        """Where the person's coins live."""
        return self.deployment.vault(person.account.address)

    def coins(self, holder: str) -> int:
        """Token units on chain."""
        return self.client.balance_of(self.deployment.token("USDT"), holder)

    # ── steps of a trade ─────────────────────────────────────────────────────────────────────

    def authorise(self) -> str:
        """Alice signs her order's authority; returns its hash."""
        order: dict[str, Any] = {"quantity": QUANTITY, "max_trade": None, "max_fee_bps": 100}
        with self.database.transaction() as session:
            market = session.get_one(Market, "USDT-EUR")
            asked = authorities.authority_request(
                session, self.settings, self.alice.id, market, **order
            )
            return authorities.store_authority(
                session,
                self.settings,
                self.alice.id,
                market,
                message=asked["message"],
                signature=self.alice.sign(asked),
                **order,
            )

    def match(self, **changes: Any) -> int:
        """Alice's signed offer meets Bob's bid; compliance and fees agree. Returns the trade."""
        sell = {"owner": self.alice.id, "authority": self.authorise(), **changes}
        self.engine.submit(commands.place_order(**sell))
        bid = commands.place_order(owner=self.bob.id, side="buy", accounts={"sepa": 12})
        (trade_id,) = self.engine.submit(bid)["trades"]
        fees = {"maker_fee": SELLER_FEE, "taker_fee": BUYER_FEE}
        self.engine.submit(
            {"kind": "clear_trade", "trade_id": trade_id, "decision": "allow", **fees}
        )
        return int(trade_id)

    def work(self) -> None:
        """One round of the scheduler."""
        jobs.run_escrow_events(self.context)
        self.track()
        jobs.scan_deposits(self.context)

    def track(self) -> None:
        """Send and follow transactions; a busy node gets a second to mine what was sent."""
        waited = threading.Event()
        for _ in range(20):
            jobs.track_intents(self.context)
            with self.database.reader() as session:
                sent = select(ChainIntent.id).where(ChainIntent.status == "sent").limit(1)
                if session.scalar(sent) is None:
                    return
            waited.wait(0.05)

    def locked_trade(self) -> int:
        """A trade whose coins are locked on chain."""
        trade_id = self.match()
        self.work()
        assert self.trade(trade_id).state == "awaiting_payment"
        return trade_id

    def paid_trade(self) -> int:
        """A trade that Bob marked paid, on chain too."""
        trade_id = self.locked_trade()
        self.sign(trade_id, self.bob, "buyer", "paid")
        self.act("mark_paid", trade_id, self.bob)
        self.work()
        return trade_id

    def sign(self, trade_id: int, person: Person, party: str, act: str) -> None:
        """Sign everything asked for an act and hand it in."""
        with self.database.transaction() as session:
            trade = session.get_one(Trade, trade_id)
            asked = service.signing_requests(session, trade, party, act)
            signatures = {item["kind"]: person.sign(item["typed_data"]) for item in asked}
            service.store_signatures(session, trade, party, act, signatures)

    def act(self, kind: str, trade_id: int, person: Person, **data: Any) -> None:
        """A party's command to the engine."""
        self.engine.submit({"kind": kind, "trade_id": trade_id, "actor": person.id, **data})

    def warp(self, seconds: int) -> None:
        """Let time pass for the engine and the chain."""
        self.skipped_ms += seconds * 1000
        self.rpc("evm_increaseTime", seconds)
        self.rpc("evm_mine")

    def burn(self, person: Person, units: int) -> None:
        """Coins vanish from a person's vault, as if its code had sent them away."""
        holder = self.vault(person)
        deploy = encode_call("Escrow", "deployVault", [person.account.address])
        self.client.send_unlocked(DEV_DEPLOYER, self.deployment.escrow, deploy)
        data = encode_call("TestUSDT", "transfer", [DEAD, units])
        self.rpc("anvil_setBalance", holder, hex(10**18))
        self.rpc("anvil_impersonateAccount", holder)
        self.client.send_unlocked(holder, self.deployment.token("USDT"), data)
        self.rpc("anvil_stopImpersonatingAccount", holder)

    def send_as(self, person: Person, data: str, to: str | None = None) -> None:
        """A person calls the escrow (or `to`) on chain, past the portal."""
        address = person.account.address
        self.rpc("anvil_setBalance", address, hex(10**18))
        self.rpc("anvil_impersonateAccount", address)
        self.client.send_unlocked(address, to or self.deployment.escrow, data)
        self.rpc("anvil_stopImpersonatingAccount", address)

    def relayer(self, client: ChainClient | None = None, **changes: Any) -> Relayer:
        """The portal's relayer with other settings; it asks the chain nothing but what it sends."""
        settings = self.settings.model_copy(update=changes)
        return Relayer(
            self.database,
            client or self.client,
            relayer(settings),
            self.deployment.chain_id,
            Policy.of(settings),
            lambda *_: None,
            lambda *_: None,
        )

    def with_settings(self, **changes: Any) -> JobContext:
        """What jobs get, with other settings."""
        return replace(self.context, settings=self.settings.model_copy(update=changes))

    def finalize(self) -> None:
        """Blocks enough that everything before them is final: anvil's epochs have 32 slots."""
        self.rpc("anvil_mine", "0x41")

    def rpc(self, method: str, *parameters: Any) -> Any:
        """Ask the node directly."""
        answer = self.client.pool.endpoints[0].node.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        return answer["result"]

    # ── what there is to see ─────────────────────────────────────────────────────────────────

    def trade(self, trade_id: int) -> Trade:
        """The trade's row."""
        with self.database.reader() as session:
            return session.get_one(Trade, trade_id)

    def record(self, trade_id: int) -> EscrowRecord:
        """The escrow's row."""
        with self.database.reader() as session:
            return session.get_one(EscrowRecord, trade_id)

    def chain_status(self, trade_id: int) -> str:
        """Where the contract has the trade."""
        return self.contract.status(str(self.record(trade_id).escrow_id))

    def intents(self, trade_id: int) -> dict[str, ChainIntent]:
        """The trade's transactions by kind."""
        with self.database.reader() as session:
            rows = session.scalars(select(ChainIntent).where(ChainIntent.trade_id == trade_id))
            return {row.kind: row for row in rows}

    def attempts(self, intent_id: int) -> list[ChainAttempt]:
        """What was signed for an intent, newest first."""
        with self.database.reader() as session:
            return attempts_of(session, intent_id)

    def differences(self) -> list[str]:
        """What `portal audit verify` would say about the chain."""
        with self.database.reader() as session:
            return list(chain_balance_differences(self.settings, session))
