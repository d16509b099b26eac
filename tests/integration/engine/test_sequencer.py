"""The sequencer on a real PostgreSQL: nothing lost, nothing twice, nobody else writes."""

from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from portal.core.clock import now_ms
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput, PortalError, Unavailable
from portal.engine import apply, replay
from portal.engine.columns import text_array
from portal.engine.copying.keys import key_copy
from portal.engine.sequencer import NotApplied, Sequencer
from portal.engine.store import Fenced
from tests.factories.engine import ALICE, BOB, USDT, deposit, place_order, take

pytestmark = pytest.mark.postgres


def count(database: Database, table: str) -> int:
    with database.reader() as session:
        return int(session.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one())


def accepted(answers: list[Any]) -> list[dict[str, Any]]:
    assert not [answer for answer in answers if isinstance(answer, PortalError)]
    return answers


def whole_trade(sequencer: Sequencer) -> int:
    (offer,) = accepted(sequencer.run([place_order()]))
    (taken,) = accepted(sequencer.run([take(offer["order_id"])]))
    (trade_id,) = taken["trades"]
    on = {"trade_id": trade_id}
    accepted(
        sequencer.run(
            [
                {"kind": "clear_trade", "decision": "allow", "taker_fee": 1000, **on},
                {"kind": "escrow_locked", "reference": "lock", **on},
                {"kind": "mark_paid", "actor": BOB, **on},
                {"kind": "release", "actor": ALICE, **on},
                {"kind": "settled", "reference": "tx", **on},
            ]
        )
    )
    return int(trade_id)


def test_a_restarted_engine_knows_everything(sequencer: Sequencer, database_url: str) -> None:
    sequencer.run([place_order(), place_order(price=9300)])
    other = Sequencer(database_url)
    other.start()
    assert other.state.snapshot() == sequencer.state.snapshot()
    other.stop()


def test_the_journal_alone_gives_the_same_tables(sequencer: Sequencer, database_url: str) -> None:
    whole_trade(sequencer)
    sequencer.run([place_order(), place_order(owner=BOB, side="buy", price=9100)])
    with psycopg.connect(database_url) as connection:
        assert replay.differences(connection, "main") == []


def test_a_changed_balance_or_journal_is_seen(
    sequencer: Sequencer, database: Database, database_url: str
) -> None:
    whole_trade(sequencer)
    with database.transaction() as session:
        session.execute(text("UPDATE account SET balance = balance + 1 WHERE kind = 'available'"))
    with psycopg.connect(database_url) as connection:
        (difference,) = replay.differences(connection, "main")
    assert difference.startswith("accounts")


def test_a_retry_gets_the_same_answer_and_one_effect(
    sequencer: Sequencer, database: Database
) -> None:
    order = place_order(key="alice:1")
    first, second = accepted(sequencer.run([order, order]))
    (third,) = accepted(sequencer.run([order]))
    assert first == second == third
    assert count(database, "order") == 1


def test_a_retry_after_a_restart_gets_the_same_answer(
    sequencer: Sequencer, database_url: str
) -> None:
    (first,) = sequencer.run([place_order(key="alice:1")])
    other = Sequencer(database_url)
    assert other.run([place_order(key="alice:1")]) == [first]
    other.stop()


def test_a_key_used_for_something_else_is_refused(sequencer: Sequencer) -> None:
    sequencer.run([place_order(key="alice:1")])
    (answer,) = sequencer.run([place_order(key="alice:1", price=9300)])
    assert isinstance(answer, Conflict)
    assert answer.field == "key"


def test_an_engine_that_was_replaced_cannot_write(
    sequencer: Sequencer, database: Database, database_url: str
) -> None:
    other = Sequencer(database_url)
    other.start()
    with pytest.raises(Fenced):
        sequencer.run([place_order()])
    assert count(database, "order") == 0
    accepted(other.run([place_order()]))
    other.stop()


def test_a_bad_command_in_a_batch_hurts_no_other(sequencer: Sequencer, database: Database) -> None:
    good, bad, other = sequencer.run([place_order(), {"kind": "nonsense"}, place_order()])
    assert isinstance(bad, PortalError)
    assert count(database, "order") == 2
    accepted([good, other])


def test_a_batch_the_database_refuses_leaves_nothing(
    sequencer: Sequencer, database: Database
) -> None:
    before = sequencer.state.snapshot()
    with database.transaction() as session:
        session.execute(text("ALTER TABLE transfer ADD CONSTRAINT no CHECK (amount < 0) NOT VALID"))
    (answer,) = sequencer.run([place_order()])
    assert isinstance(answer, Unavailable)
    with database.transaction() as session:
        session.execute(text("ALTER TABLE transfer DROP CONSTRAINT no"))
    sequencer.run([])
    assert sequencer.state.snapshot() == before
    assert count(database, "order") == 0
    accepted(sequencer.run([place_order()]))


def test_a_killed_connection_is_replaced_and_nothing_is_lost(
    sequencer: Sequencer, database: Database
) -> None:
    sequencer.run([place_order(key="a")])
    with database.transaction() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    sequencer.run([place_order(key="b")])
    (again,) = accepted(sequencer.run([place_order(key="b")]))
    assert count(database, "order") == 2
    assert again["status"] == "open"


def test_the_database_itself_refuses_a_negative_balance(
    sequencer: Sequencer, database: Database
) -> None:
    with pytest.raises(Exception, match="balance_not_negative"), database.transaction() as session:
        session.execute(text("UPDATE account SET balance = -1 WHERE kind = 'available'"))


@pytest.mark.parametrize("table", ["audit_event", "journal", "transfer"])
def test_the_past_cannot_be_edited(sequencer: Sequencer, database: Database, table: str) -> None:
    whole_trade(sequencer)
    column = {"audit_event": "actor", "journal": "at_ms", "transfer": "amount"}
    for statement in (
        f"UPDATE {table} SET {column[table]} = {column[table]}",
        f"DELETE FROM {table}",
    ):
        with pytest.raises(Exception, match="append-only"), database.transaction() as session:
            session.execute(text(statement))


def test_many_amounts_survive_the_journey(sequencer: Sequencer, database: Database) -> None:
    whole_trade(sequencer)
    with database.reader() as session:
        rows = session.execute(
            text("SELECT owner_id, kind, balance FROM account WHERE asset = 'USDT'")
        ).all()
    balances = {(owner, kind): balance for owner, kind, balance in rows}
    assert balances[BOB, "available"] == 100 * USDT - 1000
    assert balances[0, "fee_income"] == 1000
    assert sum(balances.values()) == 0


@pytest.mark.parametrize(
    "poison",
    [
        {"kind": "cancel_order", "order_id": 1, "reason": "a\x00b"},
        deposit(reference="a\x00b"),
        deposit(key="a\x00b"),
        deposit(asset="a\x00b"),
        deposit(units=2**63 - 1),
        place_order(accounts={"sepa\x00": 1}),
    ],
)
def test_a_command_that_can_not_be_stored_takes_no_other_down(
    sequencer: Sequencer, poison: dict[str, Any]
) -> None:
    refused, placed = sequencer.run([poison, place_order()])
    assert isinstance(refused, InvalidInput)
    assert isinstance(placed, dict)


def test_a_retry_is_known_also_after_the_clock_was_put_back_over_midnight(
    sequencer: Sequencer, database_url: str
) -> None:
    day_ms, now = 86_400_000, now_ms()
    ahead = Sequencer(database_url, clock=lambda: now + day_ms)
    (first,) = accepted(ahead.run([place_order(key="alice:1")]))
    ahead.stop()
    back = Sequencer(database_url, clock=lambda: now)
    assert accepted(back.run([place_order(key="alice:1")])) == [first]
    back.stop()


def test_a_retry_may_know_better_who_asks(sequencer: Sequencer) -> None:
    """A trade was completed, or a fee changed, between the two: it is the same order."""
    (first,) = accepted(sequencer.run([place_order(key="alice:1", facts={"trades": 1})]))
    again = place_order(key="alice:1", facts={"trades": 2}, taker_fee_bps=5)
    assert sequencer.run([again]) == [first]


def test_a_command_that_meets_a_defect_is_not_tried_again(
    sequencer: Sequencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops its own batch once; sent for ever, it stops nobody else's."""

    def defect(*_: object) -> None:
        raise KeyError("no such rule")

    monkeypatch.setitem(apply._HANDLERS, "withdraw", defect)
    poison = {"kind": "withdraw", "owner": ALICE, "asset": "USDT", "units": 1, "reference": "x"}
    together = sequencer.run([place_order(), poison])
    assert all(isinstance(answer, NotApplied) for answer in together)
    placed, refused = sequencer.run([place_order(), poison])
    assert isinstance(placed, dict)
    assert "defect" in refused.message


def test_any_text_reaches_the_database_by_both_ways(database_url: str) -> None:
    texts = ["a\tb", "c\nd\re", "g\\h", "\\N", "", '"', "{}", "NULL", "ünï ✓ 😀", "a,b", "'"]
    statement, lines = key_copy("main", 1, [(text, at) for at, text in enumerate(texts)])
    with psycopg.connect(database_url) as connection:
        with connection.cursor().copy(statement) as copy:
            copy.write(lines)
        stored = connection.execute("SELECT key FROM command_key ORDER BY seq").fetchall()
        (array,) = connection.execute("SELECT %s::text[]", (text_array(texts),)).fetchone()
    assert [key for (key,) in stored] == array == texts
