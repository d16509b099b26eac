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


@mypyc_attr(acyclic=True)
class Level:
    """The orders at one price (or margin), the lowest priority number first; None: gone."""

    __slots__ = ("head", "live", "numbers", "orders")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.orders: list[OrderState | None] = []
        self.head = 0
        self.live = 0

    def add(self, order: OrderState) -> None:
        """Put an order in its place; nearly always the last one."""
        number = order.priority
        if not self.numbers or number > self.numbers[-1]:
            self.numbers.append(number)
            self.orders.append(order)
        else:
            place = bisect_left(self.numbers, number, self.head)
            self.numbers.insert(place, number)
            self.orders.insert(place, order)
        self.live += 1

    def drop(self, number: int) -> None:
        """Forget the order with this priority number."""
        place = self.head
        if self.numbers[place] != number:
            place = bisect_left(self.numbers, number, place)
        self.orders[place] = None
        self.live -= 1
        if place == self.head:
            self._advance()
        if len(self.numbers) - self.live > _DEAD_PLACES + self.live:
            self._compact()

    def _advance(self) -> None:
        head, last = self.head, len(self.orders)
        while head < last and self.orders[head] is None:
            head += 1
        self.head = head

    def _compact(self) -> None:
        self.orders = [order for order in self.orders if order is not None]
        self.numbers = [order.priority for order in self.orders if order is not None]
        self.head = 0


@mypyc_attr(acyclic=True)
class Lane:
    """Price levels whose orders are admitted alike. Better levels have greater keys.

    A key is the price in ticks, or the margin of a floating lane, negative on the sell side.
    """

    __slots__ = ("conditions", "keys", "kind", "levels", "number", "sizes")

    def __init__(self, kind: int, number: int) -> None:
        self.kind = kind
        self.number = number
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.sizes: dict[int, int] = {}
        self.conditions: dict[Conditions, int] = {}

    def add(self, order: OrderState, key: int) -> None:
        """Rest an order at its level."""
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level()
            if not self.keys or key > self.keys[-1]:
                self.keys.append(key)
            else:
                insort(self.keys, key)
        level.add(order)
        if self.number != PLAIN:
            self._count(order, 1)

    def drop(self, order: OrderState, key: int) -> None:
        """Take an order out; an empty level goes with it."""
        level = self.levels[key]
        level.drop(order.priority)
        if not level.live:
            del self.levels[key]
            if self.keys[-1] == key:
                self.keys.pop()
            else:
                del self.keys[bisect_left(self.keys, key)]
        if self.number != PLAIN:
            self._count(order, -1)

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
