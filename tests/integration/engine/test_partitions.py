"""Day partitions: rows land in their day, old keys go, what is open stays attached."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from portal.core.errors import Conflict, PortalError
from portal.core.settings import Settings
from portal.engine import ids, partitions, replay
from portal.engine.maintenance import keep_partitions
from portal.engine.sequencer import Sequencer
from tests.factories.engine import define_market, deposit, place_order, take

pytestmark = pytest.mark.postgres
DAY = timedelta(days=1)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> int:
        return int(self.now.timestamp() * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sequencer(database_url: str, clock: Clock) -> Sequencer:
    sequencer = Sequencer(database_url, clock=clock)
    sequencer.run([define_market(), deposit()])
    return sequencer


def rows_of(connection: psycopg.Connection[tuple[int, ...]], table: str) -> int:
    row = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
    return row[0] if row else 0


def test_a_day_gets_partitions_of_its_own_and_ids_of_its_own(
    sequencer: Sequencer, database_url: str, clock: Clock
) -> None:
    (first,) = sequencer.run([place_order(key="a")])
    today = ids.day_of(clock())
    clock.now += 10 * DAY  # Nobody has made these ahead.
    (later,) = sequencer.run([place_order(key="b")])
    assert isinstance(first, dict)
    assert isinstance(later, dict)
    assert later["order_id"] >= ids.first_id(0, today + 10) > first["order_id"]
    with psycopg.connect(database_url) as connection:
        for table in ("order", "transfer"):
            for day in (today, today + 10):
                assert rows_of(connection, f"{table}_0_{ids.date_text(day)}") > 0
            assert rows_of(connection, f"{table}_rest") == 0
        for table in ("journal", "command_key"):
            assert rows_of(connection, f"{table}_{ids.date_text(today + 10)}") == 1
        assert replay.differences(connection, "main") == []
    sequencer.stop()


def test_a_key_is_known_on_the_day_after_and_forgotten_later(
    sequencer: Sequencer, settings: Settings, clock: Clock
) -> None:
    clock.now = (clock.now + DAY).replace(hour=12)  # Whatever the hour of the test is.
    order = place_order(key="a")
    (first,) = sequencer.run([order])
    clock.now += DAY
    assert sequencer.run([order]) == [first]
    clock.now += DAY
    (other,) = sequencer.run([order])
    assert isinstance(other, dict)
    assert other != first
    sequencer.stop()


def test_the_job_makes_days_ahead_and_drops_old_keys(database_url: str, settings: Settings) -> None:
    today = ids.day_of(int(datetime.now(UTC).timestamp() * 1000))
    old = [f"command_key_{ids.date_text(today - back)}" for back in (2, 3)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        partitions.ensure(connection, 0, today - 3, today - 2, today - 1)
        connection.execute(f'DROP TABLE "order_0_{ids.date_text(today + 2)}"')
    said = keep_partitions(settings)
    assert f"Made: order_0_{ids.date_text(today + 2)}." in said
    assert all(name in said for name in old)
    with psycopg.connect(database_url) as connection:
        names = {n for (n,) in connection.execute("SELECT relname FROM pg_class")}
    assert not names & set(old)
    assert f"command_key_{ids.date_text(today - 1)}" in names


def test_days_that_are_over_are_tidied_once(database_url: str, settings: Settings) -> None:
    """Autovacuum leaves rows that only come in alone; that is done when no more come."""
    today = ids.day_of(int(datetime.now(UTC).timestamp() * 1000))
    with psycopg.connect(database_url, autocommit=True) as connection:
        partitions.ensure(connection, 0, today - 1)
    yesterday = f"transfer_0_{ids.date_text(today - 1)}"
    said = keep_partitions(settings)
    assert yesterday in said.partition("Tidied:")[2]
    assert f"transfer_0_{ids.date_text(today)}" not in said.partition("Tidied:")[2]
    assert keep_partitions(settings).endswith("Tidied: none.")
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT reloptions, age(relfrozenxid) FROM pg_class WHERE relname = %s", (yesterday,)
        ).fetchone()
    assert row is not None
    assert "autovacuum_enabled=false" in row[0]
    assert row[1] < 100


def test_old_days_are_detached_but_not_while_something_in_them_is_open(
    sequencer: Sequencer, settings: Settings, database_url: str, clock: Clock
) -> None:
    (offer,) = sequencer.run([place_order()])
    assert isinstance(offer, dict)
    tomorrow = (clock.now + DAY).date()
    with pytest.raises(Conflict, match="open rows"):
        keep_partitions(settings, tomorrow)
    answers = sequencer.run([{"kind": "cancel_order", "order_id": offer["order_id"]}])
    assert not any(isinstance(answer, PortalError) for answer in answers)
    today = ids.date_text(ids.day_of(clock()))
    assert f"order_0_{today}" in keep_partitions(settings, tomorrow)
    with psycopg.connect(database_url) as connection:
        assert rows_of(connection, "order") == 0
        assert rows_of(connection, f"order_0_{today}") == 1
    sequencer.stop()


def test_an_open_trade_keeps_its_day(
    sequencer: Sequencer, settings: Settings, clock: Clock
) -> None:
    (offer,) = sequencer.run([place_order()])
    assert isinstance(offer, dict)
    sequencer.run([take(offer["order_id"])])
    with pytest.raises(Conflict, match="trade_0"):
        keep_partitions(settings, (clock.now + DAY).date())
    sequencer.stop()
