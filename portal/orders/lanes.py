"""Where resting orders stand: lanes of price levels, levels of orders by their priority number.

A lane holds the orders of one side, one payment method and one way of pricing whose admission
(smallest trade, conditions) is alike, so that a flood of offers that don't fit a taker is passed
in one step. Compiled by mypyc where a C compiler is there, with the same results.
"""

from bisect import bisect_left, insort
from typing import Final
from zlib import crc32

from mypy_extensions import mypyc_attr

from portal.orders.conditions import Conditions
from portal.orders.rules import OrderState

# How the orders of a lane are priced: `BOUND` by a floor or ceiling that is in force.
FIXED: Final = 0
FLOATING: Final = 1
BOUND: Final = 2

# A lane's number: a size class below 64, plus 64 times a class of conditions (0: none).
PLAIN: Final = 0
_SIZES: Final = 64
_CONDITION_CLASSES: Final = 8
LANES_A_KIND: Final = _SIZES * (_CONDITION_CLASSES + 1)
# Up to here a lane knows whether all its kinds of admission refuse a taker.
_KNOWN_KINDS: Final = 8
_DEAD_PLACES: Final = 32
_EMPTY_LEVELS: Final = 64


@mypyc_attr(acyclic=True)
class Level:
    """The orders at one price (or margin), the lowest priority number first; None: gone.

    The first living one is at `head`. A level without any is kept by its lane for the next order
    at its price, with a single place that is used again: nearly all levels of a busy market have
    one order at a time.
    """

    __slots__ = ("head", "key", "live", "numbers", "orders")

    def __init__(self, key: int) -> None:
        self.key = key
        self.numbers: list[int] = [0]
        self.orders: list[OrderState | None] = [None]
        self.head = 0
        self.live = 0

    def add(self, order: OrderState) -> None:
        """Put an order in its place beside others; nearly always the last one."""
        number, numbers = order.priority, self.numbers
        if number > numbers[-1]:
            order.place = len(numbers)
            numbers.append(number)
            self.orders.append(order)
        else:
            place = bisect_left(numbers, number, self.head)
            numbers.insert(place, number)
            self.orders.insert(place, order)
        self.live += 1

    def drop(self, order: OrderState) -> None:
        """Forget an order which is not the last one here.

        It is found where it was put, unless it has moved since, or was put elsewhere under
        another method: a search would fetch other numbers from all over a large memory.
        """
        place, orders = order.place, self.orders
        if place >= len(orders) or orders[place] is not order:
            place = bisect_left(self.numbers, order.priority, self.head)
        orders[place] = None
        self.live = live = self.live - 1
        if place == self.head:
            while orders[place] is None:
                place += 1
            self.head = place
        if len(orders) - live > _DEAD_PLACES + live:
            self._compact()

    def clear(self) -> None:
        """Forget the last order, and the places of those before it."""
        self.numbers, self.orders = [0], [None]
        self.head = self.live = 0

    def _compact(self) -> None:
        orders = [order for order in self.orders if order is not None]
        for place, order in enumerate(orders):
            order.place = place
        self.numbers = [order.priority for order in orders]
        self.orders = [*orders]
        self.head = 0


@mypyc_attr(acyclic=True)
class Lane:
    """Price levels whose orders are admitted alike. Better levels have greater keys.

    A key is the price in ticks, or the margin of a floating lane, negative on the sell side.
    `keys` are those of the levels with orders, the greatest last, and `best` is the level of it;
    `levels` has empty ones too, until they are most.
    """

    __slots__ = ("best", "conditions", "keys", "kind", "levels", "number", "sizes")

    def __init__(self, kind: int, number: int) -> None:
        self.kind = kind
        self.number = number
        self.keys: list[int] = []
        self.best: Level | None = None
        self.levels: dict[int, Level] = {}
        self.sizes: dict[int, int] = {}
        self.conditions: dict[Conditions, int] = {}

    def add(self, order: OrderState, key: int) -> None:
        """Rest an order at its level."""
        level = self.levels.get(key)
        if level is not None and level.live:
            level.add(order)
        else:
            if level is None:
                level = self._new_level(key)
            level.numbers[0] = order.priority
            level.orders[0] = order
            order.place = 0
            level.live = 1
            best = self.best
            if best is None or key > best.key:
                self.best = level
                self.keys.append(key)
            else:
                insort(self.keys, key)
        if self.number != PLAIN:
            self._count(order, 1)

    def drop(self, order: OrderState, key: int) -> None:
        """Take an order out; a level without orders is passed over from then on."""
        best = self.best
        level = best if best is not None and best.key == key else self.levels[key]
        if level.live > 1:
            level.drop(order)
        else:
            orders, keys = level.orders, self.keys
            if len(orders) > 1:
                level.clear()
            else:
                orders[0] = None
                level.live = 0
            if level is best:
                keys.pop()
                self.best = self.levels[keys[-1]] if keys else None
            else:
                del keys[bisect_left(keys, key)]
        if self.number != PLAIN:
            self._count(order, -1)

    def _new_level(self, key: int) -> Level:
        if len(self.levels) > 2 * len(self.keys) + _EMPTY_LEVELS:
            self.levels = {each: self.levels[each] for each in self.keys}
        level = self.levels[key] = Level(key)
        return level

    def admits(self, taker: OrderState, at_ms: int) -> bool:
        """False when none of the orders here can trade with this taker; True says nothing."""
        largest = taker.remaining if taker.remaining < taker.max_trade else taker.max_trade
        if len(self.sizes) > _KNOWN_KINDS:
            if largest.bit_length() < self.number % _SIZES:
                return False
        elif not _any_within(self.sizes, largest):
            return False
        if self.number < _SIZES or len(self.conditions) > _KNOWN_KINDS:
            return True
        return any(wanted.admit(taker.facts, at_ms) for wanted in self.conditions)

    def _count(self, order: OrderState, change: int) -> None:
        left = self.sizes.get(order.min_trade, 0) + change
        if left:
            self.sizes[order.min_trade] = left
        else:
            del self.sizes[order.min_trade]
        wanted = order.conditions
        if wanted is None:
            return
        left = self.conditions.get(wanted, 0) + change
        if left:
            self.conditions[wanted] = left
        else:
            del self.conditions[wanted]


def _any_within(sizes: dict[int, int], largest: int) -> bool:
    for size in sizes:  # noqa: SIM110 (a generator costs more than what it looks at)
        if size <= largest:
            return True
    return False


def lane_number(order: OrderState, smallest: int) -> int:
    """Which lane of its kind an order belongs to, from nothing but the order and the market.

    Offers that everybody's size fits (`smallest`: the market's smallest trade) have a lane of
    their own, which no flood of others reaches; then one a doubling of the smallest trade, and
    all of these again for a few classes of conditions.
    """
    size = PLAIN if order.min_trade <= smallest else order.min_trade.bit_length()
    if order.conditions is None:
        return size
    spread = crc32(repr(_plain(order.conditions)).encode()) % _CONDITION_CLASSES
    return size + _SIZES * (spread + 1)


def _plain(wanted: Conditions) -> tuple[object, ...]:
    return (
        wanted.min_tier,
        wanted.min_trades,
        wanted.min_completion_bps,
        wanted.min_age_ms,
        wanted.first_trade_max,
        wanted.regions,
    )
