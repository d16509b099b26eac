"""Three ways to get a shard into memory give the same; a doubtful memory is never served."""

from collections.abc import Iterator
from typing import Any

import pytest

from portal.core.errors import PortalError
from portal.core.settings import Settings
from portal.engine import maintenance, recovery, snapshots
from portal.engine.connection import Connection, Identity, connect
from portal.engine.follower import Follower
from portal.engine.recovery import Diverged
from portal.engine.sequencer import Sequencer
from tests.factories.engine import (
    ALICE,
    BOB,
    CAROL,
    USDT,
    define_market,
    deposit,
    place_order,
    take,
)

pytestmark = pytest.mark.postgres

EVERYTHING = {
    "tif": "GTD",
    "expires_ms": 4_102_444_800_000,
    "hours": [[480, 1080]],
    "stp": "cancel_both",
    "conditions": {"min_tier": 1, "regions": ["DE", "FR"], "first_trade_max": 50 * USDT},
    "facts": {"tier": 2, "trades": 7, "completion_bps": 9900, "region": "DE"},
    "link": "a-private-link",
    "via": "key7",
    "quote_set": "ladder",
}


@pytest.fixture
def sequencer(database_url: str) -> Iterator[Sequencer]:
    sequencer = Sequencer(database_url)
    run(sequencer, define_market(), deposit(), deposit(owner=CAROL))
    yield sequencer
    sequencer.stop()


@pytest.fixture
def reader(database_url: str) -> Iterator[Connection]:
    with connect(database_url, Identity("a test"), writes=False) as connection:
        yield connection


def run(sequencer: Sequencer, *commands: dict[str, Any]) -> list[dict[str, Any]]:
    answers = sequencer.run(commands)
    refused = [answer for answer in answers if isinstance(answer, PortalError)]
    assert refused == []
    return [answer for answer in answers if isinstance(answer, dict)]


def some_life(sequencer: Sequencer, price: int = 9200) -> None:
    """Orders of every kind, a trade that waits, a trade that is over, an index."""
    tick = {"kind": "index_tick", "market": "USDT-EUR", "price": price, "quote_id": 5}
    run(sequencer, tick, place_order(owner=CAROL, quantity=10 * USDT, **EVERYTHING))
    floating = {"price_kind": "floating", "price": None, "margin_bps": 150, "floor": 9000}
    run(
        sequencer, place_order(owner=CAROL, quantity=20 * USDT, methods=["sepa", "pix"], **floating)
    )
    offer, other = run(
        sequencer,
        place_order(price=price, quantity=100 * USDT, key=f"alice:{price}"),
        place_order(price=price + 100, quantity=100 * USDT),
    )
    taken = run(sequencer, take(offer["order_id"], price=price, quantity=30 * USDT))[0]
    (trade_id,) = taken["trades"]
    run(sequencer, {"kind": "clear_trade", "trade_id": trade_id, "decision": "allow"})
    run(sequencer, {"kind": "escrow_locked", "trade_id": trade_id, "reference": "lock"})
    closed = run(sequencer, take(offer["order_id"], price=price, quantity=10 * USDT))[0]["trades"][
        0
    ]
    run(sequencer, {"kind": "cancel_trade", "trade_id": closed, "actor": BOB})
    run(sequencer, {"kind": "cancel_order", "order_id": other["order_id"], "owner": ALICE})


def keep(sequencer: Sequencer, reader: Connection) -> int:
    """Store the state as a snapshot, by way of the journal; returns its place."""
    copy = recovery.restore(reader, "main")
    assert copy.state.snapshot() == sequencer.state.snapshot()
    snapshots.write(reader, copy.state, copy.journal_hash)
    return copy.state.seq


def test_tables_snapshot_and_journal_give_the_same(
    sequencer: Sequencer, reader: Connection
) -> None:
    some_life(sequencer)
    keep(sequencer, reader)
    some_life(sequencer, 9300)
    wanted = sequencer.state.snapshot()
    copies = [
        recovery.from_journal(reader, "main"),
        recovery.from_tables(reader, "main"),
        *recovery._from_snapshots(reader, "main"),
    ]
    copies[-1].catch_up_all(reader)
    assert len(copies) == 3
    for copy in copies:
        assert copy.state.snapshot() == wanted
        assert copy.state.at_ms == sequencer.state.at_ms
        assert copy.journal_hash == copies[0].journal_hash


def test_a_state_from_a_snapshot_goes_on_as_the_other_does(
    sequencer: Sequencer, reader: Connection, database_url: str
) -> None:
    """The book, its order of priority, and everything that is only derived is there too."""
    some_life(sequencer)
    keep(sequencer, reader)
    (copy,) = recovery._from_snapshots(reader, "main")
    heir = Sequencer(database_url)
    heir.start(copy)
    assert heir.state is copy.state
    some_life(heir, 9100)
    assert recovery.from_journal(reader, "main").state.snapshot() == heir.state.snapshot()
    assert recovery.from_tables(reader, "main").state.snapshot() == heir.state.snapshot()
    heir.stop()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE engine_snapshot SET data = set_byte(data, 40, get_byte(data, 40) # 1)"
        " WHERE part = 0",
        "UPDATE engine_snapshot SET data = substr(data, 1, length(data) - 1)"
        " WHERE part = (SELECT max(part) FROM engine_snapshot)",
        "DELETE FROM engine_snapshot WHERE part = 1",
        "DELETE FROM engine_snapshot WHERE part = 0",
        "UPDATE engine_snapshot SET journal_hash = repeat('0', 64)",
        "UPDATE engine_snapshot SET format = format + 1",
        "UPDATE engine_snapshot SET seq = seq - 1",
        "UPDATE engine_snapshot SET data = ''",
    ],
)
def test_a_damaged_snapshot_is_passed_over(
    sequencer: Sequencer, reader: Connection, damage: str
) -> None:
    some_life(sequencer)
    keep(sequencer, reader)
    reader.execute(damage.encode())
    assert list(recovery._from_snapshots(reader, "main")) == []
    assert recovery.restore(reader, "main").state.snapshot() == sequencer.state.snapshot()


def test_behind_a_damaged_snapshot_stands_an_older_one(
    sequencer: Sequencer, reader: Connection
) -> None:
    some_life(sequencer)
    first = keep(sequencer, reader)
    some_life(sequencer, 9300)
    second = keep(sequencer, reader)
    reader.execute("DELETE FROM engine_snapshot WHERE seq = %s AND part = 1", (second,))
    assert [copy.state.seq for copy in recovery._from_snapshots(reader, "main")] == [first]
    assert recovery.restore(reader, "main").state.snapshot() == sequencer.state.snapshot()


def test_a_snapshot_that_lies_is_found_out_by_the_journal_behind_it(
    sequencer: Sequencer, reader: Connection
) -> None:
    """Whole and well sealed, but of a state that never was: the next answers don't fit."""
    some_life(sequencer)
    keep(sequencer, reader)
    copy = recovery.restore(reader, "main")
    copy.state.next_id += 1
    snapshots.write(reader, copy.state, copy.journal_hash)
    some_life(sequencer, 9300)
    (lying,) = recovery._from_snapshots(reader, "main")
    with pytest.raises(Diverged, match="was answered"):
        lying.catch_up_all(reader)
    assert recovery.restore(reader, "main").state.snapshot() == sequencer.state.snapshot()


def test_only_the_newest_snapshots_are_kept(sequencer: Sequencer, reader: Connection) -> None:
    written = []
    for _ in range(snapshots.KEPT + 2):
        run(sequencer, place_order(quantity=USDT))
        written.append(keep(sequencer, reader))
    kept = [row.seq for row in snapshots.stored(reader, "main")]
    assert kept == written[: -snapshots.KEPT - 1 : -1]


def test_the_commands_write_a_snapshot_and_verify_it(
    sequencer: Sequencer, settings: Settings, reader: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    some_life(sequencer)
    maintenance.write_snapshot(settings)
    assert "3 open orders" in capsys.readouterr().out
    maintenance.write_snapshot(settings)
    assert "new enough" in capsys.readouterr().out
    some_life(sequencer, 9300)
    assert maintenance.verify(settings) == 0
    reader.execute("UPDATE engine_snapshot SET data = '' WHERE part = 1")
    assert maintenance.verify(settings) == 1
    assert "DIFFERENT  snapshot" in capsys.readouterr().out


def test_a_follower_has_what_its_leader_has(
    sequencer: Sequencer, reader: Connection, database_url: str
) -> None:
    follower = Follower(database_url, "main", Identity("127.0.0.1:2"))
    follower.start()
    some_life(sequencer)
    some_life(sequencer, 9300)
    while follower.seq != sequencer.state.seq:
        assert follower.failure is None
    copy = follower.stop()
    assert copy is not None
    assert copy.state.snapshot() == sequencer.state.snapshot()
    assert copy.journal_hash == recovery.from_tables(reader, "main").journal_hash


def test_a_follower_lives_through_a_lost_connection(
    sequencer: Sequencer, reader: Connection, database_url: str
) -> None:
    follower = Follower(database_url, "main", Identity("127.0.0.1:2"))
    follower.start()
    while follower.seq is None:
        assert follower.failure is None
    reader.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    sequencer.stop()
    some_life(sequencer)
    while follower.seq != sequencer.state.seq:
        assert follower.failure is None
    copy = follower.stop()
    assert copy is not None
    assert copy.state.snapshot() == sequencer.state.snapshot()


def test_a_follower_stops_where_its_memory_does_not_fit(
    sequencer: Sequencer, reader: Connection, database_url: str
) -> None:
    copy = recovery.from_tables(reader, "main")
    copy.state.next_id += 1
    follower = Follower(database_url, "main", Identity("127.0.0.1:2"))
    follower.start(copy)
    some_life(sequencer)
    while follower.failure is None:
        assert follower._thread is not None
        follower._thread.join(0.01)
    with pytest.raises(Diverged, match="was answered"):
        follower.stop()
    assert follower.seq is None


def test_a_copy_that_does_not_end_at_the_head_is_not_served(
    sequencer: Sequencer, reader: Connection, database_url: str
) -> None:
    some_life(sequencer)
    copy = recovery.from_tables(reader, "main")
    copy.state.next_id += 1
    heir = Sequencer(database_url)
    with pytest.raises(Diverged, match="the copy is at"):
        heir.start(copy)
    heir.stop()


def test_a_journal_changed_by_a_hand_of_power_is_seen(
    sequencer: Sequencer, reader: Connection
) -> None:
    some_life(sequencer)
    reader.execute("ALTER TABLE journal DISABLE TRIGGER append_only")
    reader.execute(
        "UPDATE journal SET commands = set_byte(commands, 9, get_byte(commands, 9) # 1)"
        " WHERE first_seq > 3"
    )
    with pytest.raises(Diverged, match="does not match its hash"):
        recovery.from_journal(reader, "main")
