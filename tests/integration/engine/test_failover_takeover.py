"""Engine processes that die, sleep and stop: another takes over, nothing acknowledged is lost."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from portal.core.errors import Unavailable
from portal.core.settings import Settings
from portal.engine import replay
from portal.engine.client import EngineClient
from tests.factories.engine import USDT, define_market, deposit, place_order
from tests.services.replicas import EngineProcess, free_port, until

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


class Pair:
    """A leading engine and one that follows it, with a client that knows both."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        ports = (free_port(), free_port())
        addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.url = str(settings.database_url)
        self.settings = settings.model_copy(update={"engine_addresses": addresses})
        self.client = EngineClient(self.settings)
        self._directory = directory
        self.leader = self._start(ports[0])
        self.leader.wait_serving()
        self.client.submit(define_market())
        self.client.submit(deposit(units=10**12))
        self.follower = self._start(ports[1])
        self.follower.wait_following(self.url)

    def _start(self, port: int) -> EngineProcess:
        return EngineProcess(self.settings, port, self._directory / f"engine-{port}.log")

    def place(self, key: str) -> int:
        """Place an order, asking again until there is an answer."""
        placed: list[int] = []

        def answered() -> bool:
            try:
                placed.append(self.client.submit(place_order(key=key, quantity=USDT))["order_id"])
            except Unavailable:
                return False
            return True

        until(answered, self.follower)
        return placed[0]

    def epoch(self) -> int:
        """How often the shard was taken over."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT epoch FROM shard").fetchone()
        assert row is not None
        return int(row[0])

    def require_whole(self, orders: int) -> None:
        """So many orders, and the journal gives just what the tables hold."""
        with psycopg.connect(self.url) as connection:
            assert connection.execute('SELECT count(*) FROM "order"').fetchone() == (orders,)
            assert replay.differences(connection, "main") == []

    def stop(self) -> None:
        """End both."""
        for engine in (self.leader, self.follower):
            engine.stop()


@pytest.fixture
def pair(settings: Settings, tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        pair = Pair(settings, tmp_path)
        stack.callback(pair.stop)
        yield pair


def test_the_follower_takes_over_from_a_killed_leader(pair: Pair) -> None:
    placed = [pair.place(f"before:{n}") for n in range(20)]
    pair.leader.stop()
    placed += [pair.place(f"after:{n}") for n in range(20)]
    assert pair.place("before:3") == placed[3]
    assert len(set(placed)) == 40
    pair.require_whole(40)
    assert "took shard main over" in pair.follower.said()


def test_a_leader_that_is_told_to_stop_hands_over(pair: Pair) -> None:
    pair.place("before")
    pair.leader.send(signal.SIGTERM)
    assert pair.leader.process.wait(60) == 0
    pair.follower.wait_serving()
    pair.place("after")
    pair.require_whole(2)
    assert "ending what is left" not in pair.follower.said()


def test_a_leader_that_slept_through_its_lease_never_writes_again(pair: Pair) -> None:
    before = pair.place("before")
    sleeper = EngineClient(
        pair.settings.model_copy(update={"engine_addresses": f"127.0.0.1:{pair.leader.port}"})
    )
    assert sleeper.submit(place_order(key="before", quantity=USDT))["order_id"] == before
    pair.leader.send(signal.SIGSTOP)
    pair.follower.wait_serving()
    epoch = pair.epoch()
    after = pair.place("after")
    pair.leader.send(signal.SIGCONT)
    # It finds its connections ended and its epoch old, and becomes the follower.
    with pytest.raises(Unavailable):
        sleeper.submit(place_order(key="late", quantity=USDT))
    pair.leader.wait_following(pair.url)
    assert pair.epoch() == epoch
    assert pair.place("after") == after
    pair.require_whole(2)


def test_the_old_leader_may_lead_again_when_the_new_one_dies(pair: Pair) -> None:
    pair.place("one")
    pair.leader.send(signal.SIGSTOP)
    pair.follower.wait_serving()
    pair.leader.send(signal.SIGCONT)
    pair.leader.wait_following(pair.url)
    pair.place("two")
    pair.follower.stop()
    pair.leader.wait_serving()
    pair.place("three")
    pair.require_whole(3)
