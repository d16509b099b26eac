"""Rows for the desk to show: two traders, a market, orders, trades in several states."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import now_ms, utc_now
from portal.core.db import Database
from portal.engine.models import MarketState
from portal.escrow.chain.blocks import ChainEndpoint, ChainMovement
from portal.escrow.models import ChainAttempt, ChainIntent, EscrowRecord, EscrowSignature
from portal.escrow.payouts.models import PayoutStop
from portal.ledger.models import Account, Transfer
from portal.markets.models import AssetRow, JobRun, Market, Quote
from portal.orders.models import Order
from portal.payments.matching import new_row
from portal.payments.models import BankStatement
from portal.plugin_api import Asset, Money
from portal.plugin_api import StatementLine as BankLine
from portal.trades.models import Dispute, DisputeStatement, Trade
from portal.users.models import User
from tests.integration.backoffice.desk import DeskServices

USDT = 10**6


def payout_stop(session: Session) -> int:
    """Ledger and chain differ about USDT."""
    stop = PayoutStop(
        cause="difference:USDT",
        asset="USDT",
        reason="the escrow contract holds 1 unit",
        fingerprint="f",
    )
    session.add(stop)
    session.flush()
    return stop.id


def market(**changed: Any) -> Market:
    """USDT-EUR on the ledger."""
    values: dict[str, Any] = {
        "id": "USDT-EUR",
        "base": "USDT",
        "quote": "EUR",
        "price_places": 4,
        "lot": 10_000,
        "min_trade": 10 * USDT,
        "max_trade": 50_000 * USDT,
        "escrow": "ledger",
        "status": "open",
        "payment_seconds": 1_800,
        "release_seconds": 3_600,
        "fee_model": "maker_taker",
        "methods": ["sepa"],
        "sources": [],
    }
    return Market(**values | changed)


def trader(name: str, **changed: Any) -> User:
    """A trader who finished signing up."""
    values: dict[str, Any] = {
        "username": name,
        "nickname": name,
        "email": f"{name}@demo.test",
        "first_name": name.title(),
        "last_name": "Example",
        "country": "DE",
        "kind": "trader",
        "active": True,
        "password": "",
        "totp_confirmed": utc_now(),
    }
    return User(**values | changed)


def order(id: int, owner: int, **changed: Any) -> Order:
    """An open order to sell 500 USDT."""
    at = now_ms()
    values: dict[str, Any] = {
        "id": id,
        "shard": "main",
        "owner_id": owner,
        "market_id": "USDT-EUR",
        "side": "sell",
        "order_type": "limit",
        "price_kind": "fixed",
        "price_ticks": 9_210,
        "quantity": 500 * USDT,
        "remaining": 250 * USDT,
        "min_trade": 10 * USDT,
        "max_trade": 500 * USDT,
        "methods": ["sepa"],
        "accounts": {"sepa": 1},
        "tif": "GTC",
        "max_fee_bps": 100,
        "held": 252_500_000,
        "status": "open",
        "created_ms": at - 900_000,
        "updated_ms": at - 60_000,
        "post_only": False,
        "stp": "cancel_newest",
        "shared": False,
        "priority": id,
        "maker_fee_bps": 100,
        "taker_fee_bps": 100,
    }
    return Order(**values | changed)


def trade(id: int, seller: int, buyer: int, state: str, **changed: Any) -> Trade:
    """250 USDT for 230.25 EUR, the seller's order was there first."""
    at = now_ms()
    values: dict[str, Any] = {
        "id": id,
        "shard": "main",
        "market_id": "USDT-EUR",
        "base": "USDT",
        "quote": "EUR",
        "escrow": "ledger",
        "maker_order_id": 11,
        "taker_order_id": 12,
        "maker_side": "sell",
        "buyer_id": buyer,
        "seller_id": seller,
        "method": "sepa",
        "quantity": 250 * USDT,
        "price_ticks": 9_210,
        "fiat_units": 23_025,
        "index_ticks": 9_197,
        "reserved": 252_500_000,
        "max_buyer_fee": 2_500_000,
        "buyer_fee": 500_000,
        "seller_fee": 250_000,
        "fee_note": "Maker 0.10 % of 250.000000 USDT = 0.250000; taker 0.20 % = 0.500000.",
        "escrow_units": 250_250_000,
        "state": state,
        "locked": state not in ("matched", "held", "locking"),
        "settled": state == "completed",
        "created_ms": at - 600_000,
        "updated_ms": at - 120_000,
    }
    return Trade(**values | changed)


def people_and_market(database: Database) -> tuple[int, int]:
    """Alice, who sells, Bob, who buys, and their market; returns their ids."""
    with database.transaction() as session:
        for code, name, kind, places in (
            ("USDT", "Tether", "coin", 6),
            ("BTC", "Bitcoin", "coin", 8),
            ("EUR", "Euro", "fiat", 2),
        ):
            if session.get(AssetRow, code) is None:
                session.add(AssetRow(code=code, name=name, kind=kind, places=places))
        session.flush()
        if session.get(Market, "USDT-EUR") is None:
            session.add(market())
        alice, bob = trader("alice", kyc_tier=2), trader("bob")
        session.add_all([alice, bob])
        session.flush()
        return alice.id, bob.id


def everything(services: DeskServices) -> dict[str, int]:
    """Something on every page; returns the ids that the database chose."""
    database = services.database
    alice, bob = people_and_market(database)
    now, at = utc_now(), now_ms()
    with database.transaction() as session:
        quote = Quote(
            market_id="USDT-EUR",
            at=now - timedelta(seconds=8),
            observed_at=now - timedelta(seconds=11),
            price_ticks=9_197,
            sources=[
                {"name": "htx", "price": "0.9198", "used": True},
                {"name": "kraken", "price": "0.9196", "used": True},
                {"name": "bitstamp", "price": "0.9501", "used": False, "reason": "330 bps off"},
            ],
        )
        session.add_all(
            [
                market(
                    id="BTC-EUR", base="BTC", price_places=2, lot=1_000, status="halted",
                    min_trade=100_000, max_trade=10**9, sources=[{"name": "htx"}],
                ),
                quote,
                Quote(
                    market_id="USDT-EUR",
                    price_ticks=None,
                    reason="1 fresh source of 3; 2 are needed.",
                    sources=[],
                ),
            ]
        )  # fmt: skip
        session.flush()
        session.add_all(
            [
                MarketState(
                    market_id="USDT-EUR", shard="main", terms={}, index_ticks=9_197,
                    index_at_ms=at - 8_000, quote_id=quote.id,
                ),
                MarketState(
                    market_id="BTC-EUR", shard="main", terms={}, index_ticks=None,
                    index_reason="No fresh price: htx answered 0 of 3 times.",
                ),
                order(11, alice),
                order(12, bob, side="buy", status="filled", remaining=0, held=0),
                order(13, alice, price_kind="floating", price_ticks=None, margin_bps=150),
                trade(21, alice, bob, "held", reason="Over the limit of tier 1: 230.25 EUR."),
                trade(
                    22, alice, bob, "awaiting_payment", timer="payment",
                    deadline_ms=at + 900_000, payment_deadline_ms=at + 900_000,
                ),
                trade(23, alice, bob, "disputed", reason="not_received", quote_id=quote.id),
                trade(24, alice, bob, "completed", updated_ms=at, to_buyer=250_250_000),
                Dispute(
                    trade_id=23,
                    opened_by=bob,
                    opened_at=now - timedelta(hours=3),
                    reason="paid_not_released",
                    statement="I paid by SEPA this morning and the seller does not answer.",
                ),
                DisputeStatement(
                    trade_id=23,
                    user_id=alice,
                    text="No money has arrived on my account so far. I look again tonight.",
                ),
                EscrowRecord(trade_id=23, backend="evm", escrow_id="0x" + "ab" * 32,
                             terms={"seller": "0x" + "11" * 20, "amount": "250250000"},
                             status="open"),
                EscrowSignature(trade_id=23, party="seller", kind="order_authority", payload={},
                                signature="0x" + "cd" * 65),
                ChainIntent(key="open:23", trade_id=23, kind="open_escrow",
                            to_address="0x" + "22" * 20, data="0x", status="confirmed",
                            tx_hash="0x" + "ef" * 32, block_number=118),
                ChainIntent(key="open:24", trade_id=24, kind="settle_escrow",
                            to_address="0x" + "22" * 20, data="0x", status="failed",
                            error="execution reverted: BadSignature()"),
                ChainEndpoint(position=0, name="https://one.example", state="ok", height=118,
                              latency_ms=41, errors=0, disagreements=0),
                ChainEndpoint(position=1, name="https://two.example", state="outvoted",
                              height=118, latency_ms=38, errors=2, disagreements=1,
                              last_error="It was outvoted about block 117."),
                ChainMovement(key="deposit:1:0xaa:0", kind="deposit", chain_id=1,
                              tx_hash="0x" + "aa" * 32, log_index=0, block_number=117,
                              block_hash="0x" + "bb" * 32, owner_id=alice, asset="USDT",
                              units=5_000_000, state="lost"),
                PayoutStop(cause="movement:1", owner_id=alice, asset="USDT",
                           reason="The chain took back a deposit that was credited."),
                JobRun(job="price_sweep", started_at=now - timedelta(seconds=9),
                       finished_at=now - timedelta(seconds=8), outcome="done",
                       message="USDT-EUR 0.9197"),
                JobRun(job="escrow_intents", started_at=now - timedelta(seconds=5),
                       finished_at=now - timedelta(seconds=5), outcome="failed",
                       message="ConnectionError: no node at http://127.0.0.1:8084"),
            ]
        )  # fmt: skip
        _ledger(session, alice, at)
        for kind, who, data in (
            ("trade.matched", "system", {"quantity": "250.000000"}),
            ("trade.cleared", "system", {"decision": "allow"}),
            ("trade.paid", f"user:{bob}", {}),
            ("trade.disputed", f"user:{bob}", {"reason": "paid_not_released"}),
        ):
            record(session, who, kind, "trade:23", data)
        _attempts(session)
        line = statement_line(session, services)
        support = session.scalars(select(User.id).where(User.email == "support@demo.test")).first()
        failed = session.scalars(select(ChainIntent.id).where(ChainIntent.status == "failed")).one()
        ids = {"alice": alice, "bob": bob, "line": line, "support": support or 0}
        stop = payout_stop(session)
        return ids | {"failed_intent": failed, "stop": stop}


def _attempts(session: Session) -> None:
    """What was signed for the opening: its first attempt was too cheap."""
    opened = session.scalars(select(ChainIntent.id).where(ChainIntent.key == "open:23")).one()
    place = {"intent_id": opened, "chain_id": 31337, "sender": "0x" + "33" * 20, "nonce": 4,
             "gas": 200_000, "sent_at": utc_now()}  # fmt: skip
    session.add_all(
        [
            ChainAttempt(number=1, max_fee=3 * 10**9, priority_fee=10**8, status="replaced",
                         tx_hash="0x" + "ee" * 32, **place),
            ChainAttempt(number=2, max_fee=40 * 10**9, priority_fee=10**9, status="mined",
                         tx_hash="0x" + "ef" * 32, mined_at=utc_now(), block_number=118,
                         gas_used=143_020, gas_price=21 * 10**9, **place),
        ]
    )  # fmt: skip


def statement_line(session: Session, services: DeskServices) -> int:
    """A credit for which no trade was found."""
    statement = BankStatement(
        method="sepa",
        message_id="M-1",
        account_index="a",
        sha256="0" * 64,
        filename="november.xml",
        size=1,
        lines=1,
        new_lines=1,
        imported_by="system",
    )
    session.add(statement)
    session.flush()
    told = BankLine(
        entry_ref="E-1",
        account="DE89370400440532013000",
        amount=Money(Asset("EUR", 2), 23_025),
        direction="credit",
        booking_date=utc_now().date(),
        status="booked",
        reversal=False,
        payer_name="Bob Example",
        payer_account="FR1420041010050500013M02606",
        references=(),
        text="for the coins",
        source_line=10,
    )
    line = new_row(services.sealer, services.plugins.gateway("sepa"), statement.id, told)
    line.reason = "No reference of a trade was found."
    session.add(line)
    session.flush()
    return line.id


def _ledger(session: Any, alice: int, at: int) -> None:
    session.add_all(
        [
            Account(id=31, shard="main", owner_id=alice, asset="USDT", kind="available",
                    balance=749_750_000),
            Account(id=32, shard="main", owner_id=alice, asset="USDT", kind="escrow",
                    balance=250_250_000),
            Account(id=33, shard="main", owner_id=0, asset="USDT", kind="outside",
                    balance=-1_000_000_000),
            Transfer(id=41, shard="main", seq=1, at_ms=at - 990_000, kind="deposit", from_id=33,
                     to_id=31, amount=1_000_000_000, from_after=-1_000_000_000,
                     to_after=1_000_000_000, reference="0x" + "aa" * 32),
            Transfer(id=42, shard="main", seq=2, at_ms=at - 500_000, kind="escrow_lock", from_id=31,
                     to_id=32, amount=250_250_000, from_after=749_750_000,
                     to_after=250_250_000, trade_id=23),
        ]
    )  # fmt: skip
