"""A person's statement: every transfer of theirs, each from the side of their own account."""

import pytest

from portal.core.db import Database
from portal.engine.local import LocalEngine
from portal.ledger.queries import PAGE, EntryView, LedgerPage, balances, entries
from portal.markets.models import AssetRow
from tests.factories.engine import ALICE, BOB, USDT, define_market, deposit, place_order, take

pytestmark = pytest.mark.postgres


@pytest.fixture
def coins(database: Database) -> Database:
    """Two coins that the portal knows."""
    with database.transaction() as session:
        for code, places in (("USDT", 6), ("BTC", 8)):
            if session.get(AssetRow, code) is None:
                session.add(AssetRow(code=code, name=code, kind="coin", places=places))
    return database


def page_of(database: Database, owner: int, **query: object) -> LedgerPage:
    with database.reader() as session:
        return entries(session, owner, **query)  # type: ignore[arg-type]


def told(rows: list[EntryView]) -> list[tuple[str, str, str, str]]:
    return [(row.kind, row.account_kind, row.amount, row.balance_after) for row in rows]


def test_a_transfer_is_a_plus_for_one_and_a_minus_for_the_other(coins: Database) -> None:
    engine = LocalEngine(coins)
    engine.submit(define_market())
    engine.submit(deposit())
    offer = engine.submit(place_order(max_fee_bps=0))
    (trade_id,) = engine.submit(take(offer["order_id"], quantity=40 * USDT, max_fee_bps=0))[
        "trades"
    ]
    for step in (
        {"kind": "clear_trade", "decision": "allow"},
        {"kind": "escrow_locked", "reference": "lock"},
        {"kind": "mark_paid", "actor": BOB},
        {"kind": "release", "actor": ALICE},
        {"kind": "settled", "reference": "pay"},
    ):
        engine.submit({**step, "trade_id": trade_id})
    engine.close()
    page = page_of(coins, ALICE)
    assert page.next is None
    assert told(page.entries) == [
        ("escrow_settle", "escrow", "-40.000000", "0.000000"),
        ("escrow_lock", "held", "-40.000000", "60.000000"),
        ("escrow_lock", "escrow", "40.000000", "40.000000"),
        ("hold", "available", "-100.000000", "900.000000"),
        ("hold", "held", "100.000000", "100.000000"),
        ("deposit", "available", "1000.000000", "1000.000000"),
    ]
    assert [row.trade_id for row in page.entries[:2]] == [trade_id, trade_id]
    assert {row.order_id for row in page.entries[3:5]} == {offer["order_id"]}
    (bobs,) = page_of(coins, BOB).entries
    assert told([bobs]) == [("escrow_settle", "available", "40.000000", "40.000000")]
    with coins.reader() as session:
        assert [(b.asset, b.available, b.held) for b in balances(session, ALICE)] == [
            ("USDT", "900.000000", "60.000000"),
            ("BTC", "0.00000000", "0.00000000"),
        ]


def test_pages_follow_each_other_and_tell_every_transfer_once(coins: Database) -> None:
    engine = LocalEngine(coins)
    for number in range(1, PAGE + 4):
        engine.submit(deposit(units=number))
        engine.submit(deposit(BOB, units=1000 + number))
    engine.submit(deposit(asset="BTC", units=7))
    engine.close()
    first = page_of(coins, ALICE)
    assert len(first.entries) == PAGE
    rest = page_of(coins, ALICE, before=first.next)
    assert rest.next is None
    amounts = [row.amount for row in (*first.entries, *rest.entries)]
    assert amounts == ["0.00000007", *(f"0.{n:06d}" for n in range(PAGE + 3, 0, -1))]
    assert [row.asset for row in page_of(coins, ALICE, asset="BTC").entries] == ["BTC"]
    assert page_of(coins, ALICE, asset="ETH") == LedgerPage([], None)
    assert page_of(coins, 99) == LedgerPage([], None)
