"""Other people's matchers on our stream; run by the Python of a side environment.

    python contestants.py NAME STREAM.json SECONDS

Imports nothing of the portal. Each class makes the package's own orders (`build`, timed by
itself), and has `place`, `cancel` and, after the run, `traded`: the number of trades, or None
where the package does not report them.
"""

import gc
import json
import logging
import resource
import sys
import time
from decimal import Decimal
from itertools import islice
from typing import Any

PORTION = 100


class Akhil:
    """akhil4n-orderbook: sorted levels of ordered dictionaries, in Python."""

    module = "orderbook"

    def __init__(self) -> None:
        package = __import__(self.module)
        self.book, self.order, self.sides = package.OrderBook(), package.Order, package.OrderSide
        self.prices = {price: Decimal(price) for price in range(8_000, 10_000)}
        self.ids: dict[int, str] = {}

    def build(self, number: int, side: str, price: int, lots: int) -> Any:
        which = self.sides.BID if side == "buy" else self.sides.ASK
        order = self.order(which, self.prices[price], lots)
        self.ids[number] = order.order_id
        return order

    def place(self, order: Any) -> None:
        self.book.add_limit_order(order)

    def cancel(self, number: int) -> None:
        self.book.cancel_order(self.ids[number])

    def traded(self) -> int | None:
        return len(self.book.trade_log)


class Cython(Akhil):
    """cython-orderbook: the same, compiled."""

    module = "cython_orderbook"


class Pyorderbook:
    """pyorderbook: heaps of levels, in Python."""

    def __init__(self) -> None:
        import pyorderbook  # type: ignore[import-not-found]

        self.book, self.bid, self.ask = pyorderbook.Book(), pyorderbook.bid, pyorderbook.ask
        self.orders: dict[int, Any] = {}
        self.count = 0

    def build(self, number: int, side: str, price: int, lots: int) -> Any:
        order = (self.bid if side == "buy" else self.ask)("X", price, lots)
        self.orders[number] = order
        return order

    def place(self, order: Any) -> None:
        self.count += len(self.book.match(order).trades)

    def cancel(self, number: int) -> None:
        order = self.orders[number]
        if self.book.get_order(order.id) is not None:
            self.book.cancel(order)

    def traded(self) -> int | None:
        return self.count


class OrderMatching:
    """order-matching: lists sorted by time stamp, in Python."""

    def __init__(self) -> None:
        from datetime import datetime, timedelta

        from loguru import logger  # type: ignore[import-not-found]
        from order_matching.enums import Side  # type: ignore[import-not-found]
        from order_matching.matching_engine import MatchingEngine  # type: ignore[import-not-found]
        from order_matching.order import LimitOrder  # type: ignore[import-not-found]
        from order_matching.orders import Orders  # type: ignore[import-not-found]

        logger.remove()
        self.engine, self.limit, self.orders = MatchingEngine(seed=1), LimitOrder, Orders
        self.sides = {"buy": Side.BUY, "sell": Side.SELL}
        self.now, self.step = datetime(2026, 1, 1), timedelta(microseconds=1)  # noqa: DTZ001
        self.count = 0

    def build(self, number: int, side: str, price: int, lots: int) -> Any:
        self.now += self.step
        return self.limit(
            side=self.sides[side], price=float(price), size=float(lots), timestamp=self.now,
            order_id=str(number), trader_id="x",
        )  # fmt: skip

    def place(self, order: Any) -> None:
        self.engine.place(self.orders([order]))
        self.count += len(self.engine.match(timestamp=order.timestamp).trades)

    def cancel(self, number: int) -> None:
        if self.engine.unprocessed_orders.find_order_by_id(str(number)) is not None:
            self.engine.cancel_order(str(number))

    def traded(self) -> int | None:
        return self.count


class Light:
    """lightmatchingengine: lists in dictionaries; it fails on cancels of filled orders."""

    def __init__(self) -> None:
        from lightmatchingengine.lightmatchingengine import (  # type: ignore[import-not-found]
            LightMatchingEngine,
        )

        self.engine = LightMatchingEngine()
        self.ids: dict[int, int] = {}
        self.count = 0

    def build(self, number: int, side: str, price: int, lots: int) -> Any:
        return number, price, lots, 1 if side == "buy" else 2

    def place(self, order: Any) -> None:
        number, price, lots, side = order
        order, trades = self.engine.add_order("X", price, lots, side)
        self.ids[number] = order.order_id
        # It reports the order that came and each order it met: the latter are the trades.
        self.count += sum(trade.order_id != order.order_id for trade in trades)

    def cancel(self, number: int) -> None:
        self.engine.cancel_order(self.ids[number], "X")

    def traded(self) -> int | None:
        return self.count


class LimitOrderBook:
    """limit-order-book: C++ behind ctypes; tells nothing of the trades."""

    def __init__(self) -> None:
        from limit_order_book import LimitOrderBook as Book  # type: ignore[import-not-found]

        self.book = Book()

    def build(self, number: int, side: str, price: int, lots: int) -> Any:
        put = self.book.limit_buy if side == "buy" else self.book.limit_sell
        return put, number, lots, price

    def place(self, order: Any) -> None:
        put, number, lots, price = order
        put(number, lots, price)

    def cancel(self, number: int) -> None:
        if self.book.has(number):
            self.book.cancel(number)

    def traded(self) -> int | None:
        return None


CONTESTANTS = {
    "akhil4n-orderbook": Akhil,
    "cython-orderbook": Cython,
    "pyorderbook": Pyorderbook,
    "order-matching": OrderMatching,
    "lightmatchingengine": Light,
    "limit-order-book": LimitOrderBook,
}


def run(name: str, steps: list[Any], seconds: float) -> dict[str, Any]:
    """Feed the stream for `seconds` at most; what it did, how long it took, what failed."""
    logging.disable(logging.CRITICAL)
    contestant: Any = CONTESTANTS[name]()
    began = time.perf_counter()
    orders = [contestant.build(*step) if step[1] else None for step in steps]
    building = time.perf_counter() - began
    place, cancel = contestant.place, contestant.cancel
    # As our own matcher is driven, in smaller portions: some of them are slow.
    numbers = [0 if step[1] else step[0] for step in steps]
    failed = done = 0
    gc.collect()
    gc.disable()
    pairs = zip(orders, numbers, strict=True)
    worked = time.process_time()
    began = time.perf_counter()
    until = began + seconds
    while done < len(steps) and time.perf_counter() < until:
        for order, number in islice(pairs, PORTION):
            try:
                if order is None:
                    cancel(number)
                else:
                    place(order)
            except Exception:
                failed += 1
        done = min(done + PORTION, len(steps))
    return {
        "done": done,
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - worked,
        "building_seconds": building * done / len(steps),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
        "trades": contestant.traded(),
        "failed": failed,
    }


if __name__ == "__main__":
    with open(sys.argv[2]) as file:
        found = run(sys.argv[1], json.load(file), float(sys.argv[3]))
    sys.stdout.write(json.dumps(found) + "\n")
