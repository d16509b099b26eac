"""Building the board beside everything that goes on, and finding what is wrong with it."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from portal.board import building, following, service
from portal.core.db import Database
from portal.core.settings import Settings
from portal.engine.connection import Connection
from portal.engine.local import LocalEngine
from tests.factories.engine import place_order
from tests.integration.board.history import History
from tests.integration.board.plain import held_offers, require_right

pytestmark = pytest.mark.postgres
SHARD = "main"
DAMAGES = (
    "DELETE FROM offer WHERE order_id = (SELECT min(order_id) FROM offer)",
    "UPDATE offer SET rank = rank + 1 WHERE order_id = (SELECT max(order_id) FROM offer)",
    "UPDATE depth SET orders = orders + 1",
    "UPDATE track_record SET completed = completed + 1",
    "INSERT INTO track_record VALUES (77, 'main', 1, 1, 0, 0, NULL)",
    "UPDATE board_index SET index_ticks = 1",
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_mended(
    damage: str,
    engine: LocalEngine,
    database: Database,
    settings: Settings,
    clock: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    History(engine, clock, 1).live(60)
    service.bring_up_to_date(database)
    assert service.check(settings) == 0
    with database.transaction() as session:
        session.execute(text(damage))
    assert service.check(settings) == 1
    assert "DIFFERENT" in capsys.readouterr().out
    service.rebuild(settings)
    assert service.check(settings) == 0
    require_right(database)


def test_a_board_that_was_never_built_is_said_to_be_missing(
    engine: LocalEngine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert service.check(settings) == 1
    assert "portal board rebuild" in capsys.readouterr().out


def test_a_second_build_finds_nothing_to_write(
    engine: LocalEngine, database: Database, connection: Connection, clock: list[int]
) -> None:
    History(engine, clock, 2).live(60)
    assert building.build(connection, SHARD).mended > 0
    assert building.build(connection, SHARD).mended == 0


def test_building_again_and_again_while_all_goes_on_shows_nobody_half_a_board(
    engine: LocalEngine, database: Database, clock: list[int]
) -> None:
    """Orders come, the board is followed and built at once, and readers look at it."""
    first = engine.submit(place_order(price=9999))["order_id"]
    service.bring_up_to_date(database)
    url = database.engine.url.render_as_string(hide_password=False)
    stop, failures = threading.Event(), []

    def beside(work: Callable[[Connection], None]) -> threading.Thread:
        def loop() -> None:
            try:
                with following.open_connection(url) as connection:
                    while not stop.is_set():
                        work(connection)
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=loop)
        thread.start()
        return thread

    def look(connection: Connection) -> None:
        with connection.transaction():
            offers = connection.execute("SELECT count(*), sum(quantity) FROM offer").fetchone()
            depth = connection.execute("SELECT sum(orders), sum(quantity) FROM depth").fetchone()
            assert offers == depth

    def build(connection: Connection) -> None:
        building.build(connection, SHARD)

    threads = [beside(work) for work in (look, build, service.bring_up)]
    try:
        History(engine, clock, 3).live(200)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    service.bring_up_to_date(database)
    require_right(database)
    assert first not in held_offers(database) or held_offers(database)[first][2] == 9999
