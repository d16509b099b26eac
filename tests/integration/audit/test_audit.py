"""The event log and the checks: every way of tampering is seen."""

from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from portal.audit.checks import chain_differences, ledger_differences
from portal.audit.service import record
from portal.audit.verify import verify
from portal.core.clock import now_ms
from portal.core.db import Database
from portal.core.hashchain import link
from portal.core.settings import Settings
from portal.engine import ids, partitions
from portal.engine.local import LocalEngine
from tests.factories.engine import (
    BOB,
    define_market,
    deposit,
    place_order,
)

pytestmark = pytest.mark.postgres


def chain(database: Database) -> list[str]:
    with database.reader() as session:
        return list(chain_differences(session))


def ledger(database: Database) -> list[str]:
    with database.reader() as session:
        return list(ledger_differences(session))


def tamper(database: Database, statement: str) -> None:
    """What only somebody with the database's keys can do: the guards are off."""
    with database.transaction() as session:
        for table in ("audit_event", "journal", "transfer"):
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER append_only"))
        session.execute(text(statement))


@pytest.fixture
def three_events(database: Database) -> Database:
    for number in range(3):
        with database.transaction() as session:
            record(session, "staff:1", "note.added", "user:7", {"number": number, "text": "ü"})
    return database


def test_an_honest_log_verifies(three_events: Database) -> None:
    assert chain(three_events) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE audit_event SET actor = 'staff:2' WHERE seq = 2", "event 2 was changed"),
        ("UPDATE audit_event SET data = '{}' WHERE seq = 1", "event 1 was changed"),
        ("DELETE FROM audit_event WHERE seq = 2", "event 2 is missing"),
        ("DELETE FROM audit_event WHERE seq = 3", "it ends at 2, its head says 3"),
    ],
)
def test_every_way_of_tampering_is_seen(three_events: Database, statement: str, found: str) -> None:
    tamper(three_events, statement)
    (difference,) = chain(three_events)
    assert found in difference


def test_an_event_goes_with_its_transaction(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as session:
            record(session, "system", "x.y", "x:1", {})
            session.execute(text("SELECT 1/0"))

    with pytest.raises(DBAPIError):
        fail()
    with database.reader() as session:
        assert session.execute(text("SELECT count(*) FROM audit_event")).scalar_one() == 0


def test_many_writers_make_one_chain(database: Database) -> None:
    def write(number: int) -> None:
        with database.transaction() as session:
            record(session, "system", "x.y", f"x:{number}", {"number": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert chain(database) == []
    with database.reader() as session:
        assert session.execute(text("SELECT max(seq) FROM audit_event")).scalar_one() == 40


def test_the_engines_events_are_one_chain_too(database: Database) -> None:
    engine = LocalEngine(database)
    for command in (define_market(), deposit(), place_order()):
        engine.submit(command)
    engine.close()
    assert chain(database) == []


def whole(settings: Settings, database: Database) -> dict[str, list[str]]:
    """What `portal audit verify` finds, part by part."""
    return {part: found for part, found in verify(settings, database).parts.items() if found}


def test_a_trade_that_settled_at_once_holds_nothing(database: Database) -> None:
    engine = LocalEngine(database)
    market = {"id": "USDT-BTC", "quote": "BTC", "quote_places": 8, "methods": ["ledger"]}
    swap = {"market": "USDT-BTC", "price": 10, "methods": ["ledger"], "accounts": {}}
    engine.submit(define_market(settlement="instant", **market))
    engine.submit(deposit())
    engine.submit(deposit(owner=BOB, asset="BTC", units=10**9))
    engine.submit(place_order(**swap))
    taken = engine.submit(place_order(owner=BOB, side="buy", **swap))
    engine.close()
    assert taken["trades"]
    assert ledger(database) == []


def test_an_honest_ledger_verifies(settings: Settings, a_trade: Database) -> None:
    assert ledger(a_trade) == []
    assert whole(settings, a_trade) == {}


TAKEN = "UPDATE account SET balance = balance - 1 WHERE owner_id = 1 AND kind = 'available'"
_SETTLED = "(SELECT id FROM transfer WHERE kind = 'escrow_settle' ORDER BY id LIMIT 1)"


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (TAKEN, "a balance is the sum of its transfers"),
        (f"{TAKEN}; {TAKEN.replace('- 1 ', '+ 1 ').replace('= 1', '= 2')}", "sum of its transfers"),
        (TAKEN.replace("available", "held"), "backs open orders"),
        (f"UPDATE transfer SET amount = amount + 1 WHERE id = {_SETTLED}", "sum of its transfers"),
        (f"UPDATE transfer SET amount = amount + 1 WHERE id = {_SETTLED}", "goes on from the one"),
        (f"UPDATE transfer SET to_after = to_after + 1 WHERE id = {_SETTLED}", "goes on from the"),
        (f"UPDATE transfer SET from_after = -1 WHERE id = {_SETTLED}", "less than nothing"),
        (f"UPDATE transfer SET to_id = 999 WHERE id = {_SETTLED}", "two accounts of one asset"),
        (
            "INSERT INTO account VALUES (999, 'main', 1, 'BTC', 'available', 0);"
            f"UPDATE transfer SET to_id = 999 WHERE id = {_SETTLED}",
            "two accounts of one asset",
        ),
        (f"DELETE FROM transfer WHERE id = {_SETTLED}", "goes on from the one before"),
        ("DELETE FROM transfer WHERE kind = 'deposit'", "goes on from the one before"),
        (
            "INSERT INTO transfer (id, shard, seq, at_ms, kind, from_id, to_id, amount, from_after,"
            " to_after) SELECT max(id) + 1, 'main', 1, 0, 'deposit', min(from_id), max(to_id), 7,"
            " 0, 7 FROM transfer",
            "goes on from the one before",
        ),
        ("UPDATE \"order\" SET held = held - 1 WHERE status = 'open'", "backs open orders"),
        ("UPDATE \"order\" SET side = 'buy' WHERE status = 'open'", "backs open orders"),
        ("UPDATE trade SET reserved = reserved + 1 WHERE NOT locked", "backs open orders"),
        ("UPDATE trade SET settled = false", "backs locked trades"),
        ("UPDATE account SET balance = balance + 1 WHERE kind = 'outside'", "nowhere else"),
    ],
)
def test_every_imbalance_is_seen(a_trade: Database, statement: str, found: str) -> None:
    tamper(a_trade, statement)
    assert any(found in difference for difference in ledger(a_trade))


_LAST = "(SELECT max(first_seq) FROM journal)"


@pytest.mark.parametrize(
    ("statement", "part", "found"),
    [
        ("UPDATE transfer SET reference = 'x' WHERE kind = 'deposit'", "journal", "transfer:"),
        ("UPDATE transfer SET at_ms = at_ms + 1 WHERE kind = 'hold'", "journal", "transfer:"),
        ("UPDATE \"order\" SET price_ticks = 1 WHERE status = 'filled'", "journal", "order:"),
        ("UPDATE trade SET payment_proof = 'x' WHERE settled", "journal", "trade:"),
        ("UPDATE market_state SET index_ticks = 5", "journal", "markets:"),
        (TAKEN, "journal", "accounts:"),
        (
            "UPDATE journal SET commands = convert_to(replace(convert_from(commands, 'UTF8'),"
            " '1000000000', '1000000001'), 'UTF8')",
            "journal",
            "chain breaks at sequence",
        ),
        (
            "DELETE FROM journal WHERE first_seq ="
            " (SELECT first_seq FROM journal ORDER BY 1 OFFSET 2 LIMIT 1)",
            "journal",
            "chain breaks at sequence",
        ),
        (f"DELETE FROM journal WHERE first_seq = {_LAST}", "journal", "its head says"),
        (
            f"UPDATE journal SET hash = repeat('0', 64) WHERE first_seq = {_LAST}",
            "journal",
            "not the one its head knows",
        ),
        ("UPDATE audit_event SET actor = 'user:9' WHERE seq = 2", "event logs", "was changed"),
        (
            "DELETE FROM audit_event WHERE seq = (SELECT max(seq) FROM audit_event)",
            "journal",
            "audit_event:",
        ),
    ],
)
def test_verify_sees_every_change(
    settings: Settings, a_trade: Database, statement: str, part: str, found: str
) -> None:
    tamper(a_trade, statement)
    assert any(found in difference for difference in whole(settings, a_trade)[part])


def test_an_end_of_the_journal_forged_with_a_right_hash_is_seen(
    settings: Settings, a_trade: Database
) -> None:
    """A last batch that says something else without any effect: only the shard's head knows."""
    with a_trade.transaction() as session:
        session.execute(text("ALTER TABLE journal DISABLE TRIGGER append_only"))
        row = session.execute(
            text(
                "SELECT first_seq, commands, previous FROM journal ORDER BY first_seq DESC LIMIT 1"
            )
        ).one()
        forged = bytes(row.commands).replace(b'"kind"', b'"key":"forged-1234","kind"', 1)
        session.execute(
            text("UPDATE journal SET commands = :c, hash = :h WHERE first_seq = :f"),
            {"c": forged, "h": link(row.previous, forged), "f": row.first_seq},
        )
    assert forged != row.commands
    (difference,) = whole(settings, a_trade)["journal"]
    assert "its last batch is not the one its head knows" in difference


def test_days_that_were_put_away_are_not_missed(database: Database) -> None:
    engine = LocalEngine(database)
    for command in (define_market(), deposit(), deposit(BOB)):
        engine.submit(command)
    with database.engine.connect() as connection:
        raw = cast(partitions.Connection, connection.connection.driver_connection)
        assert partitions.detach(raw, ids.day_of(now_ms()) + 1, drop_keys=False)
        raw.commit()
    engine.submit(deposit(units=7))
    engine.submit(place_order())
    engine.close()
    assert ledger(database) == []
    with database.transaction() as session:
        session.execute(text(TAKEN))
    assert ["sum of its transfers" in one for one in ledger(database)] == [True, False]
