"""Orders of machines through the gateway: single ones, batches, cancels."""

import pytest
from sqlalchemy import select

from portal.orders.models import Order
from tests.integration.gateway.world import ORDERS, GatewayWorld, new_name

pytestmark = pytest.mark.postgres


def stored(world: GatewayWorld, order_id: int) -> Order:
    with world.database.reader() as session:
        return session.scalars(select(Order).where(Order.id == order_id)).one()


def test_an_order_is_placed_and_matched(world: GatewayWorld) -> None:
    sell = world.order(world.alice, side="sell", price="61000", client_id=new_name())
    placed = world.post(world.seller, ORDERS, sell)
    assert placed.status == 201, placed
    assert placed.body["status"] == "open"
    assert placed.body["client_id"] == sell["client_id"]
    buy = world.order(world.bob, price="61000", client_id=new_name())
    taken = world.post(world.buyer, ORDERS, buy)
    assert taken.status == 201
    assert taken.body["status"] == "filled"
    assert len(taken.body["trades"]) == 1
    order = stored(world, placed.body["order_id"])
    assert (order.owner_id, order.status) == (world.alice.id, "filled")
