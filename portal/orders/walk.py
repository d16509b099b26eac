"""Finding the trades of an arriving order: with whom, at which price, how much.

A plan is made first and carried out afterwards, so that an order which must fill whole, or must
not trade at all, changes nothing when it can't. Pure; compiled by mypyc where a C compiler is
there, with the same results.

A walk looks at no more than `MOST_MISFITS` offers of one lane that turn out not to fit the
taker (`MOST_PLAIN_MISFITS` in the lane of those that everybody fits); behind them that lane is
closed for this one command. Offers with the market's own smallest trade and without conditions
share a lane with nothing else, so only takers who are choosy themselves can ever come to its
bound. What a walk sees depends on nothing but the open orders and the command.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from portal.orders.book import Book, rank_of
from portal.orders.lanes import FIXED, FLOATING, PLAIN, Lane, Level
from portal.orders.rules import (
    BUY,
    CANCEL_NEWEST,
    CANCEL_OLDEST,
    RANKS_A_TICK,
    OrderState,
    crosses,
    effective_price,
    fill_size,
    floating_price,
)

MOST_MISFITS: Final = 64
MOST_PLAIN_MISFITS: Final = 512
_TAKER_IS_SHORT: Final = -1
# Below every price of either sign.
_ANY: Final = -(1 << 66)

# The offer traded with, the price in ticks, the size in base units.
Fill = tuple[OrderState, int, int]


@mypyc_attr(allow_interpreted_subclasses=True)
class Funds:
    """What shared orders can pay for. This one knows no balances: everything is affordable."""

    def most(self, order: OrderState, price: int, spent: int) -> int:
        """The largest size, in base units, that the owner affords beyond `spent`."""
        return order.remaining

    def cost(self, order: OrderState, price: int, size: int) -> int:
        """What a trade of this size takes from the owner's available balance."""
        return 0

    def pay(self, order: OrderState, price: int, size: int) -> None:
        """A shared order trades: set its coins aside."""


@mypyc_attr(acyclic=True)
class Plan:
    """What an arriving order would bring about.

    `own`: resting orders of the same owner that go. `unbacked`: shared offers without the coins.
    `stopped`: the arriving order goes, because it met one of its owner's. `left` of it is not
    traded.
    """

    __slots__ = ("fills", "left", "own", "stopped", "unbacked")

    def __init__(self, left: int) -> None:
        self.fills: list[Fill] = []
        self.own: list[OrderState] = []
        self.unbacked: list[OrderState] = []
        self.stopped = False
        self.left = left


@mypyc_attr(acyclic=True)
class _Cursor:
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

    def __init__(
        self, lane: Lane, level: Level, rank: int, price: int, sign: int, index: int, limit: int
    ) -> None:
        self.lane = lane
        self.level = level
        self.rank = rank
        self.price = price
        self.sign = sign
        self.index = index
        self.limit = limit
        self.misfits = 0
        self.depth = len(lane.keys) - 1
        self.place = place = level.head
        self.number = level.numbers[place]
        self.order = level.orders[place]

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
        return self._next_level()

    def _next_level(self) -> bool:
        depth = self.depth - 1
        if depth < 0:
            return False
        lane, sign = self.lane, self.sign
        key = lane.keys[depth]
        price = floating_price(self.index, key * sign) if lane.kind == FLOATING else key * sign
        if price * sign < self.limit:
            return False
        level = lane.levels[key]
        self.depth, self.level, self.price = depth, level, price
        self.rank = rank_of(lane.kind, key, sign, self.index)
        self.place = place = level.head
        self.number = level.numbers[place]
        self.order = level.orders[place]
        return True


class Walker:
    """Finds the trades of an arriving order. `lot`: the market's smallest step of a quantity."""

    __slots__ = ("book", "funds", "lot")

    def __init__(self, book: Book, lot: int, funds: Funds) -> None:
        self.book = book
        self.lot = lot
        self.funds = funds

    def plan(
        self, taker: OrderState, limit: int | None, index: int | None, at_ms: int
    ) -> Plan | None:
        """What `taker` trades with at `limit` ticks or better (None: any); None: with nothing.

        `index` is the live index: without one floating offers are passed over. Nothing is
        changed: carrying the plan out is the caller's.
        """
        cursors = self._cursors(taker, limit, index, at_ms)
        if not cursors:
            return None
        plan = Plan(taker.remaining)
        spent: dict[int, int] | None = None
        last = -1
        while cursors:
            best = cursors[0]
            if len(cursors) > 1:
                for cursor in cursors:
                    if cursor.rank > best.rank or (
                        cursor.rank == best.rank and cursor.number < best.number
                    ):
                        best = cursor
            maker = best.order
            if maker is not None and best.number != last:
                # Once more under another method of both: it has had its turn.
                last = best.number
                size = self._size(taker, maker, plan.left, at_ms)
                if size and maker.owner_id == taker.owner_id:
                    if taker.stp != CANCEL_NEWEST:
                        plan.own.append(maker)
                    if taker.stp != CANCEL_OLDEST:
                        plan.stopped = True
                        break
                elif size:
                    if maker.shared or taker.shared:
                        if spent is None:
                            spent = {}
                        size = self._affordable(plan, taker, maker, best.price, size, spent)
                    if size > 0:
                        plan.fills.append((maker, best.price, size))
                        plan.left -= size
                        if plan.left < taker.min_trade or not plan.left:
                            break
                    elif size == _TAKER_IS_SHORT:
                        break
                if not size:
                    best.misfits += 1
                    if best.misfits >= MOST_MISFITS and (
                        best.lane.number != PLAIN or best.misfits >= MOST_PLAIN_MISFITS
                    ):
                        cursors.remove(best)
                        continue
            if not best.step():
                cursors.remove(best)
        return plan if plan.fills or plan.own or plan.stopped or plan.unbacked else None

    def single(
        self, taker: OrderState, offer: OrderState, index: int | None, at_ms: int
    ) -> Fill | None:
        """The one trade of `taker` with the offer it names; None when they don't fit."""
        price = effective_price(offer, index)
        if price is None or offer.owner_id == taker.owner_id or offer.side == taker.side:
            return None
        if not crosses(taker.side, taker.price_ticks, price):
            return None
        if not any(method in offer.methods for method in taker.methods):
            return None
        size = fill_size(taker, offer, taker.remaining, self.lot, at_ms)
        if size and (taker.shared or offer.shared):
            size = self._affordable(Plan(0), taker, offer, price, size, {})
        return (offer, price, size) if size > 0 else None

    def _cursors(
        self, taker: OrderState, limit: int | None, index: int | None, at_ms: int
    ) -> list[_Cursor]:
        """One for each lane whose best offer the taker accepts and which may admit it."""
        cursors: list[_Cursor] = []
        side = self.book.asks if taker.side == BUY else self.book.bids
        sign, racks = side.sign, side.racks
        worst = _ANY if limit is None else limit * sign
        for method in taker.methods:
            rack = racks.get(method)
            if rack is None:
                continue
            for lane in rack.lanes:
                if not lane.keys:
                    continue
                key = lane.keys[-1]
                if lane.kind != FLOATING:
                    if key < worst or (index is None and lane.kind != FIXED):
                        continue
                    price, rank = key * sign, key * RANKS_A_TICK
                else:
                    if index is None:
                        continue
                    price = floating_price(index, key * sign)
                    if price * sign < worst:
                        continue
                    rank = index * (sign * RANKS_A_TICK + key)
                if lane.number == PLAIN or lane.admits(taker, at_ms):
                    level = lane.levels[key]
                    cursors.append(_Cursor(lane, level, rank, price, sign, index or 0, worst))
        return cursors

    def _size(self, taker: OrderState, maker: OrderState, left: int, at_ms: int) -> int:
        if taker.conditions is not None or maker.conditions is not None:
            return fill_size(taker, maker, left, self.lot, at_ms)
        size = maker.remaining
        if left < size:
            size = left
        if taker.max_trade < size:
            size = taker.max_trade
        if maker.max_trade < size:
            size = maker.max_trade
        size -= size % self.lot
        return size if size >= taker.min_trade and size >= maker.min_trade else 0

    def _affordable(
        self,
        plan: Plan,
        taker: OrderState,
        maker: OrderState,
        price: int,
        size: int,
        spent: dict[int, int],
    ) -> int:
        """The size cut to what shared orders can pay for, in whole lots; 0: the maker can't."""
        lowest = max(taker.min_trade, maker.min_trade)
        if taker.shared:
            most = self.funds.most(taker, price, spent.get(taker.owner_id, 0))
            size = min(size, most - most % self.lot)
            if size < lowest:
                return _TAKER_IS_SHORT
        if maker.shared:
            most = self.funds.most(maker, price, spent.get(maker.owner_id, 0))
            size = min(size, most - most % self.lot)
            if size < lowest:
                if most < maker.min_trade:
                    plan.unbacked.append(maker)
                return 0
        for order in (maker, taker):
            if order.shared:
                cost = self.funds.cost(order, price, size)
                spent[order.owner_id] = spent.get(order.owner_id, 0) + cost
        return size
