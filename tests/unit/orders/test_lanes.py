"""A lane keeps its orders by price and number, however they come and go."""

import random

from portal.orders.lanes import FIXED, PLAIN, Lane
from portal.orders.rules import OrderState
from tests.unit.orders.market import order

KEYS = 5


def standing(lane: Lane) -> list[int]:
    """Numbers of the orders in a lane, the best key first, as a walk sees them."""
    levels = [lane.levels[key] for key in reversed(lane.keys)]
    assert lane.best is (levels[0] if levels else None)
    for level in levels:
        assert level.orders[level.head] is not None
    return [each.priority for level in levels for each in level.orders if each is not None]


def expected(orders: dict[OrderState, int]) -> list[int]:
    return [each.priority for each in sorted(orders, key=lambda o: (-orders[o], o.priority))]


def test_orders_of_two_lanes_come_and_go() -> None:
    dice = random.Random(1)
    lanes, orders = (Lane(FIXED, PLAIN), Lane(FIXED, PLAIN)), {}
    for number in range(1, 4_000):
        growing = number % 1_000 < 600
        if dice.random() < (0.8 if growing else 0.2) or not orders:
            # Now and then one keeps a lower number, as when it comes back unchanged.
            new = order(number * 10 if dice.random() < 0.9 else number * 10 - 5_001)
            orders[new] = dice.randint(1, KEYS)
            # Under one method or under both: then it has another place in each lane.
            for lane in lanes[: dice.choice((1, 2, 2))]:
                lane.add(new, orders[new])
                new.held += 1
        else:
            gone = dice.choice(list(orders))
            for lane in lanes[: gone.held]:
                lane.drop(gone, orders[gone])
            del orders[gone]
        assert standing(lanes[0]) == expected(orders)
        assert standing(lanes[1]) == expected({o: key for o, key in orders.items() if o.held > 1})


def test_levels_without_orders_do_not_pile_up() -> None:
    lane = Lane(FIXED, PLAIN)
    stays = order(1)
    lane.add(stays, 1)
    for key in range(2, 2_000):
        passing = order(key)
        lane.add(passing, key)
        lane.drop(passing, key)
    assert standing(lane) == [1]
    assert len(lane.levels) < 100
