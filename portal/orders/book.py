"""The book of one market: price-time priority under compatibility. Pure, in memory.

Every payment method has a heap of its own, so offers a taker can't pay for are never looked at.
Fixed prices and floating ones (by margin over the index) have separate heaps: a new index price
moves no entry. Heaps drop closed orders when they come to the top.

Priority: better price first, then the older order. Floating orders among each other rank by
margin, that is by their price before it is rounded to a tick.
"""

import heapq
from collections.abc import Generator

from portal.orders.rules import BUY, OrderState, floating_price

_Entry = tuple[int, int]
_Best = tuple[int, int, list[_Entry]]


class BookSide:
    """All resting orders of one side, by payment method."""

    def __init__(self, side: str) -> None:
        self._sign = -1 if side == BUY else 1
        self._fixed: dict[str, list[_Entry]] = {}
        self._floating: dict[str, list[_Entry]] = {}
        self.orders: dict[int, OrderState] = {}

    def add(self, order: OrderState) -> None:
        """Rest an order under each of its methods."""
        self.orders[order.id] = order
        fixed = order.price_kind == "fixed"
        ladder = self._fixed if fixed else self._floating
        key = order.price_ticks if fixed else order.margin_bps
        if key is None:
            raise ValueError(f"order {order.id} has no {order.price_kind} price")
        for method in order.methods:
            heapq.heappush(ladder.setdefault(method, []), (key * self._sign, order.id))

    def remove(self, order_id: int) -> None:
        """Forget an order; its heap entries go when they surface."""
        self.orders.pop(order_id, None)

    def walk(
        self, methods: list[str], index_ticks: int | None
    ) -> Generator[tuple[OrderState, int], None, None]:
        """Orders payable by any of `methods`, best first, each once, with its present price.

        Entries seen are put back when the walk ends, so it may be left at any time.
        """
        aside: list[tuple[list[_Entry], _Entry]] = []
        seen: set[int] = set()
        try:
            while best := self._best(methods, index_ticks):
                price, order_id, heap = best
                aside.append((heap, heapq.heappop(heap)))
                if order_id not in seen:
                    seen.add(order_id)
                    yield self.orders[order_id], price * self._sign
        finally:
            for heap, entry in aside:
                if entry[1] in self.orders:
                    heapq.heappush(heap, entry)

    def _best(self, methods: list[str], index_ticks: int | None) -> _Best | None:
        best: _Best | None = None
        for method in methods:
            for ladder, floating in ((self._fixed, False), (self._floating, True)):
                heap = ladder.get(method)
                if not heap or (floating and index_ticks is None) or not self._surface(heap):
                    continue
                key, order_id = heap[0]
                if floating and index_ticks is not None:
                    key = floating_price(index_ticks, key * self._sign) * self._sign
                if best is None or (key, order_id) < best[:2]:
                    best = (key, order_id, heap)
        return best

    def _surface(self, heap: list[_Entry]) -> bool:
        while heap and heap[0][1] not in self.orders:
            heapq.heappop(heap)
        return bool(heap)


class Book:
    """Both sides of a market."""

    def __init__(self) -> None:
        self.sides = {"buy": BookSide("buy"), "sell": BookSide("sell")}

    def add(self, order: OrderState) -> None:
        """Rest an open order."""
        self.sides[order.side].add(order)

    def remove(self, order: OrderState) -> None:
        """Take an order out."""
        self.sides[order.side].remove(order.id)

    def best_price(self, side: str, methods: list[str], index_ticks: int | None) -> int | None:
        """The best present price on `side` payable by `methods`, in ticks."""
        for _, price in self.sides[side].walk(methods, index_ticks):
            return price
        return None
