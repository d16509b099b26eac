"""Opening a market after an auction: the orders that were collected cross at one price.

The price is the one at which most can be traded, counting sizes only. Of several: the one that
leaves least over, then the one nearest to the index, then the lowest. At it the bids trade in
price-time order with the asks they are compatible with (methods, conditions, sizes), best and
oldest first, so what is traded can be less than the count.
"""

from bisect import bisect_left
from itertools import accumulate

from portal.engine.apply.holds import walker
from portal.engine.apply.matching import end_if_spent, execute
from portal.engine.state import MarketInShard, ShardState
from portal.orders.rules import OPEN, OrderState, effective_price

_Priced = tuple[int, OrderState]


def cross(state: ShardState, market: MarketInShard) -> list[int]:
    """Trade what the book has collected; ids of the trades."""
    index = market.index(state.at_ms)
    bids = _priced(market.book.bids.orders(), index)
    asks = _priced(market.book.asks.orders(), index)
    price = opening_price(bids, asks, index)
    if price is None:
        return []
    trades: list[int] = []
    for bid_price, bid in sorted(bids, key=lambda item: (-item[0], item[1].priority)):
        if bid_price < price:
            break
        if bid.status == OPEN and market.book.holds(bid):
            trades += _trade(state, market, bid, price, index)
    return trades


def opening_price(bids: list[_Priced], asks: list[_Priced], index: int | None) -> int | None:
    """The price in ticks at which most is traded; None when nothing crosses."""
    if not bids or not asks or max(price for price, _ in bids) < min(price for price, _ in asks):
        return None
    demand, supply = _Depth(bids, -1), _Depth(asks, 1)
    prices = sorted({price for price, _ in (*bids, *asks)})
    reference = index if index is not None else 0

    def goodness(price: int) -> tuple[int, int, int, int]:
        wanted, offered = demand.at(price), supply.at(price)
        traded = min(wanted, offered)
        return (-traded, abs(wanted - offered), abs(price - reference), price)

    best = min(prices, key=goodness)
    return best if goodness(best)[0] else None


class _Depth:
    """How much is bid at a price or more (sign -1), or asked at a price or less (sign 1)."""

    def __init__(self, orders: list[_Priced], sign: int) -> None:
        ranked = sorted((price * sign, order.remaining) for price, order in orders)
        self._sign = sign
        self._keys = [key for key, _ in ranked]
        self._sums = [0, *accumulate(size for _, size in ranked)]

    def at(self, price: int) -> int:
        return self._sums[bisect_left(self._keys, price * self._sign + 1)]


def _priced(orders: list[OrderState], index: int | None) -> list[_Priced]:
    found = ((effective_price(order, index), order) for order in orders)
    return [(price, order) for price, order in found if price is not None]


def _trade(
    state: ShardState, market: MarketInShard, bid: OrderState, price: int, index: int | None
) -> list[int]:
    plan = walker(state, market).plan(bid, price, index, state.at_ms)
    if plan is None:
        return []
    trades = execute(state, market, bid, plan, price=price)
    if bid.status == OPEN and not end_if_spent(state, bid):
        state.touch_order(bid)
    return trades
