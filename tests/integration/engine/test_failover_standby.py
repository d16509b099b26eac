"""A synchronous standby: every commit waits for it, losing it is seen, and it has everything."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from portal.core.errors import PortalError, Unavailable
from portal.core.settings import Settings
from portal.engine import quorum, replay
from portal.engine.client import EngineClient
from portal.engine.connection import Identity, connect
from portal.engine.lease import Lease
from portal.engine.quorum import NotDurable, NotReplicated
from portal.engine.sequencer import Sequencer
from portal.engine.watch import Watch
from portal.run.replicas import Replicas
from tests.factories.engine import USDT, define_market, deposit, place_order
from tests.services.replicas import EngineProcess, free_port, renew, replicated, until

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def servers() -> Iterator[Replicas]:
    with replicated() as servers:
        yield servers


@pytest.fixture
def replicas(servers: Replicas) -> Replicas:
    renew(servers)
    return servers


@pytest.fixture
def doomed() -> Iterator[Replicas]:
    """Servers of the test's own: its primary will be killed."""
    with replicated() as servers:
        yield servers


@pytest.fixture
def writer(replicas: Replicas) -> Iterator[Sequencer]:
    lease = Lease(replicas.url, "main", Identity("127.0.0.1:1"), sync_standbys=1)
    writer = Sequencer(replicas.url, lease=lease)
    writer.run([define_market(), deposit(units=10**12)])
    yield writer
    writer.stop()
    lease.close()


def waits_for_standby(replicas: Replicas) -> bool:
    return bool(
        replicas.primary.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    )


def test_an_asynchronous_database_is_not_written_to(replicas: Replicas) -> None:
    replicas.wait_for("")
    writer = Sequencer(
        replicas.url, lease=Lease(replicas.url, "main", Identity("a"), sync_standbys=1)
    )
    with pytest.raises(NotDurable, match="synchronous_standby_names"):
        writer.start()
    with psycopg.connect(replicas.url) as connection:
        assert connection.execute("SELECT epoch, leader FROM shard").fetchall() == [(0, None)]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("ALTER ROLE portal SET synchronous_commit = local", "synchronous_commit is local"),
        ("REVOKE pg_read_all_stats FROM portal", "grant pg_read_all_stats"),
    ],
)
def test_other_ways_to_lose_it_are_seen(replicas: Replicas, statement: Any, why: str) -> None:
    replicas.primary.execute(statement)
    with connect(replicas.url, Identity("a")) as connection:
        alarm = quorum.look(connection, 1).alarm
    assert alarm is not None
    assert why in alarm


def test_switching_to_asynchronous_stops_the_writer_in_its_next_batch(
    replicas: Replicas, writer: Sequencer
) -> None:
    replicas.wait_for("")
    (answer,) = writer.run([place_order(key="a")])
    assert isinstance(answer, PortalError)
    with pytest.raises(NotDurable):
        writer.run([place_order(key="a")])
    replicas.wait_for("ANY 1 (*)")
    (answer,) = writer.run([place_order(key="a")])
    assert isinstance(answer, dict)
    assert len(writer.state.orders) == 1


def test_without_the_standby_a_batch_waits_and_an_alarm_is_raised(
    replicas: Replicas, writer: Sequencer
) -> None:
    watch = Watch(replicas.url, "main", Identity("127.0.0.1:1"), 1)
    assert watch.look() is None
    replicas.kill_standby()
    answers: list[Any] = []
    batch = threading.Thread(target=lambda: answers.extend(writer.run([place_order(key="a")])))
    batch.start()
    until(lambda: waits_for_standby(replicas))
    until(lambda: watch.look() is not None)
    status = "SELECT alarm FROM engine_status WHERE engine = '127.0.0.1:1'"
    with psycopg.connect(replicas.url, autocommit=True) as connection:
        (alarm,) = connection.execute(status).fetchone() or (None,)
    assert "0 of 1 synchronous standby servers" in str(alarm)
    assert answers == []
    replicas.revive_standby()
    batch.join()
    assert isinstance(answers[0], dict)
    until(lambda: watch.look() is None)
    watch.close()


def test_a_wait_that_somebody_cancels_is_not_acknowledged(
    replicas: Replicas, writer: Sequencer
) -> None:
    """PostgreSQL then reports the commit as done, and it is on one server only."""
    replicas.kill_standby()
    answers: list[Any] = []
    batch = threading.Thread(target=lambda: answers.extend(writer.run([place_order(key="a")])))
    batch.start()
    until(lambda: waits_for_standby(replicas))
    replicas.primary.execute(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    )
    batch.join()
    assert isinstance(answers[0], PortalError)
    assert not writer.started
    # Asked again, it is found, but answered only when the standby has it, too.
    answers.clear()
    again = threading.Thread(target=lambda: answers.extend(writer.run([place_order(key="a")])))
    again.start()
    until(lambda: waits_for_standby(replicas))
    assert answers == []
    replicas.revive_standby()
    again.join()
    assert isinstance(answers[0], dict)
    assert len(writer.state.orders) == 1


def test_a_takeover_whose_wait_is_cancelled_is_none(replicas: Replicas) -> None:
    replicas.kill_standby()
    lease = Lease(replicas.url, "main", Identity("127.0.0.1:2"), sync_standbys=1)
    raised: list[Exception] = []

    def take() -> None:
        try:
            lease.try_take()
        except NotReplicated as error:
            raised.append(error)

    taking = threading.Thread(target=take)
    taking.start()
    until(lambda: waits_for_standby(replicas))
    lease.interrupt()
    until(lambda: bool(raised) or not taking.is_alive() or _again(lease, replicas))
    taking.join()
    assert len(raised) == 1
    assert lease.epoch is None
    lease.close()


def _again(lease: Lease, replicas: Replicas) -> bool:
    """Making the shard's row is a commit of its own, and waits first."""
    if waits_for_standby(replicas):
        lease.interrupt()
    return False


def test_a_leader_that_waits_for_the_standby_is_left_alone(
    replicas: Replicas, writer: Sequencer
) -> None:
    replicas.kill_standby()
    batch = threading.Thread(target=lambda: writer.run([place_order(key="a")]))
    batch.start()
    until(lambda: waits_for_standby(replicas))
    other = Lease(replicas.url, "main", Identity("127.0.0.1:2"), sync_standbys=1)
    until(lambda: bool(other.standing().over))
    assert other.try_take() is None
    replicas.revive_standby()
    batch.join()
    assert writer.started
    other.close()


def test_clients_are_told_while_the_standby_is_away_and_the_promoted_one_has_everything(
    doomed: Replicas, tmp_path: Path
) -> None:
    port = free_port()
    settings = Settings(
        _env_file=None, database_url=doomed.url, engine_port=port, engine_sync_standbys=1
    )
    engine = EngineProcess(settings, port, tmp_path / "engine.log")
    client = EngineClient(settings)
    try:
        engine.wait_serving()
        client.submit(define_market())
        client.submit(deposit(units=10**12))
        placed = {f"a:{n}": _place(client, f"a:{n}") for n in range(20)}

        doomed.kill_standby()
        with pytest.raises(Unavailable):
            client.submit(place_order(key="b", quantity=USDT))
        until(lambda: "ALARM: 0 of 1" in engine.said(), engine)
        doomed.revive_standby()
        placed["b"] = _insist(client, "b", engine)

        doomed.kill_primary()
        doomed.promote()
        doomed.rejoin()
        placed["c"] = _insist(client, "c", engine)
        assert {key: _place(client, key) for key in placed} == placed
    finally:
        engine.stop()
    with psycopg.connect(doomed.url) as connection:
        assert connection.execute('SELECT count(*) FROM "order"').fetchone() == (22,)
        assert replay.differences(connection, "main") == []


def _place(client: EngineClient, key: str) -> int:
    return int(client.submit(place_order(key=key, quantity=USDT))["order_id"])


def _insist(client: EngineClient, key: str, engine: EngineProcess) -> int:
    placed: list[int] = []

    def answered() -> bool:
        try:
            placed.append(_place(client, key))
        except Unavailable:
            return False
        return True

    until(answered, engine)
    return placed[0]


def test_the_watch_tells_of_a_database_that_is_gone(doomed: Replicas) -> None:
    heard: list[str | None] = []

    async def watch_until_told() -> None:
        watch = Watch(
            doomed.url, "main", Identity("127.0.0.1:1"), 1, changed=lambda why: heard.append(why)
        )
        watching = asyncio.ensure_future(watch.run())
        doomed.kill_primary()
        while not heard:
            await asyncio.sleep(0.02)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(watch_until_told())
    assert "does not answer" in str(heard[0])
