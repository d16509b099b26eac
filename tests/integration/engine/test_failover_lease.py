"""The lease: one engine leads a shard, by the database's clock; a dead one is followed at once."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from portal.engine.connection import Identity
from portal.engine.lease import Lease, LeaseLost
from portal.engine.sequencer import Sequencer
from portal.engine.store import Fenced
from tests.factories.engine import define_market, deposit, place_order

pytestmark = pytest.mark.postgres


@pytest.fixture
def one(database_url: str) -> Iterator[Lease]:
    lease = Lease(database_url, "main", Identity("127.0.0.1:1"))
    yield lease
    lease.close()


@pytest.fixture
def two(database_url: str) -> Iterator[Lease]:
    lease = Lease(database_url, "main", Identity("127.0.0.1:2"))
    yield lease
    lease.close()


def run_out(url: str) -> None:
    """As if nothing had been heard of the leader for longer than the lease."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE shard SET lease_until = clock_timestamp() - interval '1 ms'")


def test_the_first_to_come_leads_and_the_second_waits(one: Lease, two: Lease) -> None:
    taken = one.try_take()
    assert taken is not None
    assert (taken.epoch, taken.seq) == (1, 0)
    assert two.try_take() is None
    assert not two.standing().free


def test_the_leader_may_take_again_and_others_still_wait(one: Lease, two: Lease) -> None:
    one.try_take()
    again = one.try_take()
    assert again is not None
    assert again.epoch == 2
    assert two.try_take() is None


def test_a_lease_given_back_is_taken_at_once(one: Lease, two: Lease) -> None:
    one.try_take()
    one.release()
    taken = two.try_take()
    assert taken is not None
    assert taken.epoch == 2


def test_a_leader_whose_connection_is_gone_is_followed_at_once(one: Lease, two: Lease) -> None:
    one.try_take()
    one.close()
    for _ in range(1000):  # PostgreSQL notices the end of a connection a moment later.
        if two.standing().free:
            break
    assert two.try_take() is not None


def test_a_lease_that_ran_out_is_taken_and_its_holder_is_told(
    one: Lease, two: Lease, database_url: str
) -> None:
    one.try_take()
    run_out(database_url)
    assert two.try_take() is not None
    with pytest.raises((LeaseLost, psycopg.OperationalError)):
        one.renew()
    with pytest.raises(LeaseLost):
        one.renew()
    assert one.try_take() is None


def test_a_renewed_lease_is_not_over(one: Lease, two: Lease, database_url: str) -> None:
    one.try_take()
    run_out(database_url)
    one.renew()
    assert not two.standing().over
    assert two.try_take() is None


def test_a_batch_renews_the_lease(one: Lease, two: Lease, database_url: str) -> None:
    writer = Sequencer(database_url, lease=one)
    writer.start()
    run_out(database_url)
    writer.run([define_market()])
    assert not two.standing().over
    writer.stop()


def test_a_leader_in_the_middle_of_a_batch_is_ended(
    one: Lease, two: Lease, database_url: str
) -> None:
    """A process that is stopped holds the shard's row for as long as its transaction is open."""
    writer = Sequencer(database_url, lease=one)
    writer.run([define_market(), deposit()])
    assert writer._writer is not None
    writer._writer.execute("BEGIN")
    writer._writer.execute("UPDATE shard SET seq = seq")
    run_out_skipping_the_lock(database_url)
    assert two.try_take() is not None
    with pytest.raises(psycopg.OperationalError):
        writer._writer.execute("COMMIT")
    with pytest.raises(Fenced):
        writer.start()


def run_out_skipping_the_lock(url: str) -> None:
    """The leader's open transaction has its row: wait until the lease is really over."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_sleep_until(lease_until + interval '1 ms') FROM shard WHERE name = 'main'"
        )


def test_an_engine_that_was_replaced_can_not_write_and_not_come_back(
    one: Lease, two: Lease, database_url: str
) -> None:
    old, new = Sequencer(database_url, lease=one), Sequencer(database_url, lease=two)
    old.run([define_market(), deposit()])
    run_out(database_url)
    new.start()
    old.run([place_order(key="late")])
    with pytest.raises(Fenced):
        old.run([place_order(key="later")])
    assert not old.started
    (placed,) = new.run([place_order(key="new")])
    assert isinstance(placed, dict)
    assert len(new.state.orders) == 1
    new.stop()


_HOLDER = """
import sys
from portal.engine.connection import Identity
from portal.engine.lease import Lease
lease = Lease(sys.argv[1], "main", Identity("127.0.0.1:3"))
lease.try_take()
print("leads", file=sys.stderr, flush=True)
sys.stdin.read()
"""


def test_a_killed_process_does_not_hold_its_lease(two: Lease, database_url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"leads\n"
    assert two.try_take() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(1000):
        if two.standing().free:
            break
    assert two.try_take() is not None
