"""A place in a lane: where a walk through several lanes stands in one of them.

Compiled by mypyc where a C compiler is there, with the same results.
"""

from mypy_extensions import mypyc_attr

from portal.orders.book import rank_of
from portal.orders.lanes import FLOATING, Lane, Level
from portal.orders.rules import OrderState, floating_price


@mypyc_attr(acyclic=True)
class Cursor:
    """A place in a lane, on a living order whose price the taker accepts."""

    __slots__ = (
        "depth",
        "index",
        "lane",
        "level",
        "limit",
        "misfits",
        "number",
        "order",
        "place",
        "price",
        "rank",
        "sign",
    )

    def __init__(self, lane: Lane, level: Level, sign: int, index: int, limit: int) -> None:
        self.lane = lane
        self.sign = sign
        self.index = index
        self.limit = limit
        self.misfits = 0
        self.depth = len(lane.keys) - 1
        self.level = level
        self.price = self.rank = self.number = self.place = 0
        self.order: OrderState | None = None
        self._stand_on(level)

    def step(self) -> bool:
        """Go to the next order; False at the end of the lane or of what the taker accepts."""
        orders = self.level.orders
        place, last = self.place + 1, len(orders)
        while place < last:
            order = orders[place]
            if order is not None:
                self.place, self.order, self.number = place, order, order.priority
                return True
            place += 1
        depth = self.depth - 1
        if depth < 0:
            return False
        level = self.lane.levels[self.lane.keys[depth]]
        if not accepts(self.lane.kind, level.key, self.sign, self.index, self.limit):
            return False
        self.depth = depth
        self._stand_on(level)
        return True

    def _stand_on(self, level: Level) -> None:
        kind, key = self.lane.kind, level.key
        self.level = level
        self.price = price_of(kind, key, self.sign, self.index)
        self.rank = rank_of(kind, key, self.sign, self.index)
        self.place = level.head
        self.number = level.numbers[level.head]
        self.order = level.orders[level.head]


def price_of(kind: int, key: int, sign: int, index: int) -> int:
    """A level's price in ticks."""
    if kind == FLOATING:
        return floating_price(index, key * sign)
    return key if sign > 0 else -key


def accepts(kind: int, key: int, sign: int, index: int, worst: int) -> bool:
    """Whether a level's price is no worse than `worst`, which is negative for asks."""
    if kind == FLOATING:
        key = floating_price(index, key * sign) * sign
    return key >= worst
