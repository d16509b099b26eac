"""The board shows what a plain reading of the engine's tables gives, whatever happened."""

import subprocess
import sys
import threading

import pytest

from portal.board import building, following
from portal.board.following import NotFollowing
from portal.board.service import bring_up, keep
from portal.core.db import Database
from portal.core.jobs import JobContext
from portal.core.settings import Settings
from portal.engine.connection import Connection
from portal.engine.local import LocalEngine
from tests.factories.engine import BOB, USDT, define_market, deposit, place_order, take
from tests.integration.board.history import History
from tests.integration.board.plain import held_offers, held_records, require_right

pytestmark = pytest.mark.postgres
SHARD = "main"
KILLS = 4
# Follows a batch at a time, for ever.
FOLLOWER = """
import sys
from portal.board import following
with following.open_connection(sys.argv[1]) as connection:
    while True:
        if following.follow(connection, "main", at_most=1).batches:
            print(flush=True)
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_random_history_gives_what_a_plain_reading_gives(
    seed: int, engine: LocalEngine, database: Database, connection: Connection, clock: list[int]
) -> None:
    history = History(engine, clock, seed)
    bring_up(connection)
    for _ in range(6):
        history.live(60)
        bring_up(connection)
        require_right(database)
    assert held_offers(database)
    assert sum(held_records(database)[1].values())
    assert building.differences(connection, SHARD) == []


def test_one_batch_at_a_time_ends_where_all_at_once_does(
    engine: LocalEngine, database: Database, connection: Connection, clock: list[int]
) -> None:
    building.build(connection, SHARD)
    History(engine, clock, 5).live(200)
    following.follow(connection, SHARD, at_most=1)
    require_right(database)
    assert building.build(connection, SHARD).mended == 0


def test_whoever_follows_may_be_killed_at_any_moment(
    engine: LocalEngine, database: Database, connection: Connection, clock: list[int]
) -> None:
    history = History(engine, clock, 6)
    building.build(connection, SHARD)
    url = database.engine.url.render_as_string(hide_password=False)
    for _ in range(KILLS):
        command = [sys.executable, "-c", FOLLOWER, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as follower:
            history.live(30)
            assert follower.stdout is not None
            assert follower.stdout.readline() == b"\n"
            history.live(10)
            follower.kill()
    bring_up(connection)
    require_right(database)
    assert building.differences(connection, SHARD) == []


def test_a_trade_that_settles_at_once_counts_for_both(
    engine: LocalEngine, database: Database, connection: Connection
) -> None:
    instant = {"settlement": "instant", "methods": ["ledger"], "quote": "DAI"}
    engine.submit(define_market(id="USDT-DAI", **instant))
    engine.submit(deposit(BOB, 1000 * 10**2, asset="DAI"))
    building.build(connection, SHARD)
    terms = {"market": "USDT-DAI", "methods": ["ledger"], "accounts": {}}
    offer = engine.submit(place_order(quantity=10 * USDT, **terms))
    engine.submit(take(offer["order_id"], quantity=4 * USDT, **terms))
    bring_up(connection)
    require_right(database)
    assert held_records(database)[0] == {1: 1, 2: 1}


def test_a_journal_that_does_not_go_on_from_the_cursor_is_not_followed(
    engine: LocalEngine, database: Database, connection: Connection, clock: list[int]
) -> None:
    building.build(connection, SHARD)
    History(engine, clock, 7).live(20)
    # As when the day that the board is at was detached meanwhile.
    connection.execute("ALTER TABLE journal DISABLE TRIGGER append_only")
    connection.execute("DELETE FROM journal WHERE first_seq <= (SELECT seq + 1 FROM board_cursor)")
    with pytest.raises(NotFollowing):
        following.follow(connection, SHARD)
    bring_up(connection)
    require_right(database)


def test_a_batch_of_an_engine_that_noted_no_orders_has_the_board_built(
    engine: LocalEngine, database: Database, connection: Connection
) -> None:
    building.build(connection, SHARD)
    engine.submit(place_order())
    # Only here: the past refuses to be changed.
    connection.execute("ALTER TABLE journal DISABLE TRIGGER append_only")
    connection.execute("UPDATE journal SET changed_orders = NULL")
    with pytest.raises(NotFollowing):
        following.follow(connection, SHARD)
    bring_up(connection)
    require_right(database)


def test_the_loop_of_the_scheduler_follows_by_itself(
    engine: LocalEngine, database: Database, settings: Settings, clock: list[int]
) -> None:
    stop = threading.Event()
    context = JobContext(settings, database, engine, None)
    url = database.engine.url.render_as_string(hide_password=False)
    with following.open_connection(url) as listener:
        listener.execute("LISTEN board")
        loop = threading.Thread(target=keep, args=(context, stop))
        loop.start()
        order = engine.submit(place_order())["order_id"]
        for _ in listener.notifies(timeout=30):
            if order in held_offers(database):
                break
        stop.set()
        loop.join()
    require_right(database)
