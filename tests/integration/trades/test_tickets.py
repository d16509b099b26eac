"""What the parties of a dispute are told of its ticket."""

import orjson
import psycopg
import pytest

from portal.engine.store import CHANNEL
from portal.trades.tickets import open_ticket
from tests.integration.payments.world import World

pytestmark = pytest.mark.postgres


def test_both_parties_are_told_when_a_ticket_is_there_to_show(
    world: World, database_url: str
) -> None:
    trade = world.trade(world.locked(1_000_000))
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}".encode())
        with world.database.transaction() as session:
            open_ticket(session, trade.id, trade.seller_id, "not_received", "Nothing came.")
        (notice,) = listener.notifies(timeout=5, stop_after=1)
    people = orjson.loads(notice.payload)["people"]
    assert sorted(people) == sorted(
        [user, "trade", trade.id] for user in (trade.buyer_id, trade.seller_id)
    )
