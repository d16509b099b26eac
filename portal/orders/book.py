"""The book of one market: price-time priority under compatibility. Pure, in memory.

Priority: better price first, then the lower priority number. A floating price counts before it
is rounded to a tick, so that a new index changes nobody's place among floating orders: they
stand in a ladder by margin, and a tick re-keys nothing. A floor or ceiling that comes into
force moves its order to the ladder of fixed prices, and back when it ends.

Private orders (with a link) are kept out of the lanes: nobody meets them by chance.
Compiled by mypyc where a C compiler is there, with the same results.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from portal.orders.lanes import BOUND, FIXED, FLOATING, LANES_A_KIND, PLAIN, Lane, lane_number
from portal.orders.rules import BUY, RANKS_A_TICK, SELL, OrderState

OUT: Final = -1
_PRIVATE: Final = LANES_A_KIND * 3
_PLAIN_SHELF: Final = FIXED * LANES_A_KIND + PLAIN
_DEAD_ENTRIES: Final = 256

_Entry = tuple[int, int, OrderState]


class Rack:
    """The lanes of one payment method, on one side.

    `plain` is the one that nearly everybody uses: fixed prices, and everybody's size fits. The
    `others` stand in the order of their numbers.
    """

    __slots__ = ("by_number", "others", "plain")

    def __init__(self) -> None:
        self.plain = Lane(FIXED, PLAIN)
        self.by_number: dict[int, Lane] = {}
        self.others: list[Lane] = []

    def lane(self, shelf: int) -> Lane:
        """One of the others, a new one if need be."""
        lane = self.by_number.get(shelf)
        if lane is None:
            lane = self.by_number[shelf] = Lane(shelf // LANES_A_KIND, shelf % LANES_A_KIND)
            self.others = [self.by_number[number] for number in sorted(self.by_number)]
        return lane

    def lanes(self) -> list[Lane]:
        """All of them."""
        return [self.plain, *self.others]


class BookSide:
    """All resting orders of one side, by payment method. `sign`: 1 for bids, -1 for asks."""

    __slots__ = ("racks", "sign")

    def __init__(self, side: str) -> None:
        self.sign = 1 if side == BUY else -1
        self.racks: dict[str, Rack] = {}

    def orders(self) -> list[OrderState]:
        """Every resting order that anybody can meet, by its priority number."""
        found: dict[int, OrderState] = {}
        for rack in self.racks.values():
            for lane in rack.lanes():
                for level in lane.levels.values():
                    for order in level.orders:
                        if order is not None:
                            found[order.priority] = order
        return [found[number] for number in sorted(found)]


class Book:
    """Both sides of a market. `smallest`: the market's smallest trade."""

    __slots__ = ("_falling", "_rising", "asks", "bids", "bounded", "index", "smallest")

    def __init__(self, smallest: int = 0) -> None:
        self.bids = BookSide(BUY)
        self.asks = BookSide(SELL)
        self.smallest = smallest
        self.index: int | None = None
        self.bounded = 0
        # What changes when the index falls below, or rises above, the entry's first number.
        self._falling: list[_Entry] = []
        self._rising: list[_Entry] = []

    def side(self, side: str) -> BookSide:
        """The bids or the asks."""
        return self.bids if side == BUY else self.asks

    def add(self, order: OrderState) -> None:
        """Rest an open order under each of its methods."""
        if order.floor_ticks is not None or order.ceiling_ticks is not None:
            order.bound = bound_at(order, self.index)
            self.bounded += 1
            self._watch(order)
        if order.link is not None:
            order.shelf = _PRIVATE
            return
        side = self.bids if order.side == BUY else self.asks
        shelf = _PLAIN_SHELF
        if order.conditions is not None or order.min_trade > self.smallest:
            shelf = lane_number(order, self.smallest)
        ticks = order.price_ticks
        if ticks is not None and order.price_kind == "fixed":
            key = ticks if side.sign > 0 else -ticks
        else:
            key = _floating_key(order, side.sign)
            shelf += (BOUND if order.bound else FLOATING) * LANES_A_KIND
        order.shelf = shelf
        for method in order.methods:
            rack = side.racks.get(method)
            if rack is None:
                rack = side.racks[method] = Rack()
            lane = rack.plain if shelf == _PLAIN_SHELF else rack.lane(shelf)
            lane.add(order, key)

    def remove(self, order: OrderState) -> None:
        """Take an order out, if it is in."""
        shelf = order.shelf
        if shelf == OUT:
            return
        order.shelf = OUT
        if order.floor_ticks is not None or order.ceiling_ticks is not None:
            self.bounded -= 1
        if shelf == _PRIVATE:
            return
        side = self.bids if order.side == BUY else self.asks
        ticks = order.price_ticks
        if ticks is not None and shelf < LANES_A_KIND:
            key = ticks if side.sign > 0 else -ticks
        else:
            key = _floating_key(order, side.sign)
        for method in order.methods:
            rack = side.racks[method]
            lane = rack.plain if shelf == _PLAIN_SHELF else rack.by_number[shelf]
            lane.drop(order, key)

    def holds(self, order: OrderState) -> bool:
        """Whether an order is in the book, be it a private one."""
        return order.shelf != OUT

    def set_index(self, index: int | None) -> None:
        """Move the orders whose floor or ceiling comes into force, or ends, at this index."""
        if index is None:
            return
        self.index = index
        while self._falling and -self._falling[0][0] > index:
            self._follow(heappop(self._falling), index)
        while self._rising and self._rising[0][0] < index:
            self._follow(heappop(self._rising), index)
        self._forget_the_dead()

    def set_smallest(self, smallest: int) -> None:
        """Another smallest trade of the market: every order may belong to another lane."""
        if smallest == self.smallest:
            return
        self.smallest = smallest
        for side in (self.bids, self.asks):
            orders = side.orders()
            for order in orders:
                self.remove(order)
            side.racks = {}
            for order in orders:
                self.add(order)

    def best_price(self, side: str, methods: tuple[str, ...], index: int | None) -> int | None:
        """The best present price on `side` payable by `methods`, in ticks."""
        best: int | None = None
        for rank in self._ranks(self.side(side), methods, index):
            if best is None or rank > best:
                best = rank
        if best is None:
            return None
        return (abs(best) * 2 + RANKS_A_TICK) // (2 * RANKS_A_TICK)

    def _ranks(self, side: BookSide, methods: tuple[str, ...], index: int | None) -> Iterator[int]:
        for method in methods:
            rack = side.racks.get(method)
            for lane in rack.lanes() if rack is not None else ():
                if lane.best is not None and (lane.kind == FIXED or index is not None):
                    yield rank_of(lane.kind, lane.best.key, side.sign, index or 0)

    def _follow(self, entry: _Entry, index: int) -> None:
        _, number, order = entry
        if order.shelf == OUT or order.priority != number:
            return
        if bound_at(order, index) != order.bound:
            self.remove(order)
            self.add(order)

    def _watch(self, order: OrderState) -> None:
        """Note at which index the order's bound is another one than now."""
        free_from, free_to = bounds_of(order)
        number = order.priority
        if order.bound < 0:
            heappush(self._rising, (free_from - 1, number, order))
        elif order.bound > 0:
            heappush(self._falling, (-free_to - 1, number, order))
        else:
            if order.floor_ticks is not None:
                heappush(self._falling, (-free_from, number, order))
            if order.ceiling_ticks is not None:
                heappush(self._rising, (free_to, number, order))

    def _forget_the_dead(self) -> None:
        if len(self._falling) > 4 * self.bounded + _DEAD_ENTRIES:
            self._falling = _living(self._falling)
        if len(self._rising) > 4 * self.bounded + _DEAD_ENTRIES:
            self._rising = _living(self._rising)


def rank_of(kind: int, key: int, sign: int, index: int) -> int:
    """How good a level is: its price in ten-thousandths of a tick, negative for asks."""
    if kind == FLOATING:
        return index * (sign * RANKS_A_TICK + key)
    return key * RANKS_A_TICK


def bounds_of(order: OrderState) -> tuple[int, int]:
    """From and up to which index neither floor nor ceiling is in force."""
    factor = RANKS_A_TICK + (order.margin_bps or 0)
    floor = order.floor_ticks
    ceiling = order.ceiling_ticks
    free_from = 0 if floor is None else -(-floor * RANKS_A_TICK // factor)
    free_to = 1 << 64 if ceiling is None else ceiling * RANKS_A_TICK // factor
    return free_from, free_to


def bound_at(order: OrderState, index: int | None) -> int:
    """Whether the floor (-1), the ceiling (1) or neither (0) sets the price at this index."""
    if index is None:
        return 0
    free_from, free_to = bounds_of(order)
    if index < free_from:
        return -1
    return 1 if index > free_to else 0


def _floating_key(order: OrderState, sign: int) -> int:
    """Where an order without a fixed price stands: at its floor or ceiling, or by its margin."""
    if order.bound:
        key = order.floor_ticks if order.bound < 0 else order.ceiling_ticks
    else:
        key = order.margin_bps
    if key is None:
        raise ValueError(f"order {order.id} has no {order.price_kind} price")
    return key * sign


def _living(entries: list[_Entry]) -> list[_Entry]:
    alive = {
        (entry[0], entry[1]): entry
        for entry in entries
        if entry[2].shelf != OUT and entry[2].priority == entry[1]
    }
    kept = list(alive.values())
    heapify(kept)
    return kept
