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

from portal.orders.book import Book
from portal.orders.cursor import Cursor, accepts
from portal.orders.lanes import FIXED, FLOATING, PLAIN, Lane
from portal.orders.rules import (
    BUY,
    CANCEL_NEWEST,
    CANCEL_OLDEST,
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
# What came of an offer that was met: go on behind it, go on and count it, or look no further.
_ON: Final = 0
_MISFIT: Final = 1
_DONE: Final = 2

# The offer traded with, the price in ticks, the size in base units.
Fill = tuple[OrderState, int, int]


_NOBODY: Final[list[OrderState]] = []


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
    traded. Both lists of orders are nearly always empty, and then one for all plans.
    """

    __slots__ = ("fills", "left", "own", "spent", "stopped", "unbacked")

    def __init__(self, left: int) -> None:
        self.fills: list[Fill] = []
        self.own = self.unbacked = _NOBODY
        self.stopped = False
        self.left = left
        # What shared orders pay for the fills so far, by owner.
        self.spent: dict[int, int] | None = None


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
        if taker.side == BUY:
            racks, sign = self.book.asks.racks, -1
            worst = _ANY if limit is None else -limit
        else:
            racks, sign = self.book.bids.racks, 1
            worst = _ANY if limit is None else limit
        only: Lane | None = None
        several: list[Lane] | None = None
        for method in taker.methods:
            rack = racks.get(method)
            if rack is None:
                continue
            best = rack.plain.best
            if best is not None and best.key >= worst:
                if only is None:
                    only = rack.plain
                else:
                    several = _joined(several, only, rack.plain)
            if rack.others:
                for lane in rack.others:
                    best = lane.best
                    if best is None or (lane.kind != FIXED and index is None):
                        continue
                    if accepts(lane.kind, best.key, sign, index or 0, worst) and (
                        lane.number == PLAIN or lane.admits(taker, at_ms)
                    ):
                        if only is None:
                            only = lane
                        else:
                            several = _joined(several, only, lane)
        if only is None:
            return None
        if several is None:
            plan = self._through(only, taker, worst, sign, index or 0, at_ms)
        else:
            plan = self._between(several, taker, worst, sign, index or 0, at_ms)
        return plan if plan.fills or plan.own or plan.stopped or plan.unbacked else None

    def _through(
        self, lane: Lane, taker: OrderState, worst: int, sign: int, index: int, at_ms: int
    ) -> Plan:
        """The plan when no other lane competes, which is the rule: no cursor is needed then.

        Two orders that ask nothing of each other are weighed here, as `_meet` would do it: a
        call for each is what a busy market's cost would be made of.
        """
        plan = Plan(taker.remaining)
        fills, left, lot = plan.fills, taker.remaining, self.lot
        owner, most, least = taker.owner_id, taker.max_trade, taker.min_trade or 1
        simple = taker.conditions is None and not taker.shared
        misfits, most_misfits = 0, MOST_PLAIN_MISFITS if lane.number == PLAIN else MOST_MISFITS
        level, keys, floats = lane.best, lane.keys, lane.kind == FLOATING
        depth = len(keys) - 1
        while level is not None:
            price = level.key if sign > 0 else -level.key
            if floats:
                price = floating_price(index, price)
            orders, place = level.orders, level.head
            last = len(orders)
            while place < last:
                maker = orders[place]
                place += 1
                if maker is None:
                    continue
                if (
                    simple
                    and not maker.shared
                    and maker.conditions is None
                    and maker.owner_id != owner
                ):
                    size = maker.remaining
                    if left < size:
                        size = left
                    if most < size:
                        size = most
                    if maker.max_trade < size:
                        size = maker.max_trade
                    size -= size % lot
                    if size >= least and size >= maker.min_trade:
                        fills.append((maker, price, size))
                        left -= size
                        if left < least:
                            plan.left = left
                            return plan
                        continue
                else:
                    plan.left = left
                    outcome = self._meet(plan, taker, maker, price, at_ms)
                    left = plan.left
                    if outcome == _DONE:
                        return plan
                    if outcome == _ON:
                        continue
                misfits += 1
                if misfits >= most_misfits:
                    plan.left = left
                    return plan
            depth -= 1
            if depth < 0:
                break
            key = keys[depth]
            if not accepts(lane.kind, key, sign, index, worst) if floats else key < worst:
                break
            level = lane.levels[key]
        plan.left = left
        return plan

    def _between(
        self, lanes: list[Lane], taker: OrderState, worst: int, sign: int, index: int, at_ms: int
    ) -> Plan:
        """The plan when several lanes have offers that the taker accepts: the best one first."""
        plan = Plan(taker.remaining)
        cursors: list[Cursor] = []
        for lane in lanes:
            if lane.best is not None:
                cursors.append(Cursor(lane, lane.best, sign, index, worst))
        last = -1
        while cursors:
            best = cursors[0]
            for cursor in cursors:
                if cursor.rank > best.rank or (
                    cursor.rank == best.rank and cursor.number < best.number
                ):
                    best = cursor
            maker = best.order
            if maker is not None and best.number != last:
                # Once more under another method of both: it has had its turn.
                last = best.number
                outcome = self._meet(plan, taker, maker, best.price, at_ms)
                if outcome == _DONE:
                    break
                if outcome == _MISFIT:
                    best.misfits += 1
                    if best.misfits >= MOST_MISFITS and (
                        best.lane.number != PLAIN or best.misfits >= MOST_PLAIN_MISFITS
                    ):
                        cursors.remove(best)
                        continue
            if not best.step():
                cursors.remove(best)
        return plan

    def _meet(
        self, plan: Plan, taker: OrderState, maker: OrderState, price: int, at_ms: int
    ) -> int:
        """Add to the plan what comes of one offer: `_ON`, `_MISFIT` or `_DONE`."""
        size = self._size(taker, maker, plan.left, at_ms)
        if not size:
            return _MISFIT
        if maker.owner_id == taker.owner_id:
            if taker.stp != CANCEL_NEWEST:
                plan.own = _with(plan.own, maker)
            if taker.stp == CANCEL_OLDEST:
                return _ON
            plan.stopped = True
            return _DONE
        if maker.shared or taker.shared:
            size = self._affordable(plan, taker, maker, price, size)
            if size <= 0:
                return _DONE if size == _TAKER_IS_SHORT else _MISFIT
        plan.fills.append((maker, price, size))
        plan.left -= size
        return _DONE if plan.left < taker.min_trade or not plan.left else _ON

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
            size = self._affordable(Plan(0), taker, offer, price, size)
        return (offer, price, size) if size > 0 else None

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
        self, plan: Plan, taker: OrderState, maker: OrderState, price: int, size: int
    ) -> int:
        """The size cut to what shared orders can pay for, in whole lots; 0: the maker can't."""
        spent = plan.spent
        if spent is None:
            spent = plan.spent = {}
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
                    plan.unbacked = _with(plan.unbacked, maker)
                return 0
        for order in (maker, taker):
            if order.shared:
                cost = self.funds.cost(order, price, size)
                spent[order.owner_id] = spent.get(order.owner_id, 0) + cost
        return size


def _with(orders: list[OrderState], order: OrderState) -> list[OrderState]:
    """The list with one more, a new one where it was empty: `_NOBODY` is never changed."""
    if not orders:
        return [order]
    orders.append(order)
    return orders


def _joined(several: list[Lane] | None, only: Lane, another: Lane) -> list[Lane]:
    """The competing lanes with one more, where `only` was the first."""
    if several is None:
        return [only, another]
    several.append(another)
    return several
