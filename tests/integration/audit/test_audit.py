"""The event log and the checks: every way of tampering is seen."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from portal.audit.checks import chain_differences, ledger_differences
from portal.audit.service import record
from portal.core.db import Database
from portal.engine.local import LocalEngine
from tests.factories.engine import ALICE, define_market, deposit, place_order
from tests.factories.markets import add_market

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
        for table in ("audit_event", "posting"):
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


@pytest.fixture
def one_order(database: Database) -> Database:
    """An open order, and the market as the back office knows it."""
    engine = LocalEngine(database)
    for command in (define_market(), deposit(), place_order()):
        engine.submit(command)
    engine.close()
    with database.transaction() as session:
        add_market(session)
    return database


def test_an_honest_ledger_verifies(one_order: Database) -> None:
    assert ledger(one_order) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            f"UPDATE account SET balance = balance + 1 WHERE owner_id = {ALICE}"
            " AND kind = 'available'",
            "a balance is the sum of its postings",
        ),
        ("UPDATE posting SET amount = amount + 1 WHERE line = 0", "sums to zero"),
        ('UPDATE "order" SET held = held - 1', "backs open orders"),
    ],
)
def test_every_imbalance_is_seen(one_order: Database, statement: str, found: str) -> None:
    tamper(one_order, statement)
    assert any(found in difference for difference in ledger(one_order))
