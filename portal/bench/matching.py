"""Our matcher on a stream, in a process of its own: `python -m portal.bench.matching`.

Reads a `Task` from standard input and prints an `Outcome`. The rules are all on: methods, limits
a trade, conditions, self-trades; the orders are made before the clock starts.
"""

import gc
import os
import sys
import time
from array import array
from itertools import islice

import msgspec

from portal.bench.commands import LOT, MARKET, MID, USDT
from portal.bench.processes import memory_mb
from portal.bench.results import ack_ms
from portal.bench.stream import Step, far, normal
from portal.orders import matcher
from portal.orders.conditions import Conditions
from portal.orders.rules import MarketTerms, OrderState

_AT_MS = 1_800_000_000_000
_SECOND = 1_000_000_000
_LARGE = 10**9
# Between two looks at the clock.
_PORTION = 1_000
METHOD, OTHER = "sepa", "pix"


class Task(msgspec.Struct):
    """What to match: `resting` orders far from the mid, or `hostile` ones in the way, first.

    `rate` 0: as fast as it goes.
    """

    orders: int
    seconds: float
    rate: float = 0.0
    resting: int = 0
    hostile: int = 0


class Outcome(msgspec.Struct):
    """What came of it. `processor_seconds` below `seconds` means that others were busy, too."""

    compiled: bool
    done: int
    trades: int
    seconds: float
    processor_seconds: float
    building_seconds: float
    ack_ms: dict[str, float | None]
    memory_mb: float = 0.0


def main() -> None:
    """Carry a task out."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    book = matcher.Matcher(_terms())
    resting = far(task.resting)
    for step in resting:
        book.place(_order(step), _AT_MS)
    for number in range(task.hostile):
        book.place(_hostile(number), _AT_MS)
    steps = normal(task.orders, resting=resting)
    began = time.perf_counter()
    orders = [_order(step) if step.side else None for step in steps]
    building = time.perf_counter() - began
    gc.collect()
    gc.freeze()
    gc.disable()
    run = _paced if task.rate else _as_fast_as_it_goes
    # Whom to cancel where there is no order to place: the steps themselves are not needed.
    numbers = [0 if step.side else step.number for step in steps]
    outcome = run(book, numbers, orders, task)
    outcome.building_seconds = building * outcome.done / len(steps)
    outcome.memory_mb = memory_mb(os.getpid())
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")


def _as_fast_as_it_goes(
    book: matcher.Matcher, numbers: list[int], orders: list[OrderState | None], task: Task
) -> Outcome:
    """All in one go; the latencies are of a second part of the stream, timed one by one."""
    half = len(orders) // 2
    place, cancel = book.place, book.cancel
    trades = done = 0
    steps = zip(orders[:half], numbers[:half], strict=True)
    worked, began = time.process_time(), time.perf_counter()
    until = began + task.seconds
    while done < half and time.perf_counter() < until:
        for order, number in islice(steps, _PORTION):
            if order is None:
                cancel(number, _AT_MS)
            else:
                trades += len(place(order, _AT_MS))
        done = min(done + _PORTION, half)
    passed, worked = time.perf_counter() - began, time.process_time() - worked
    took = array("Q")
    until = time.perf_counter() + task.seconds
    for order, number in zip(orders[half:], numbers[half:], strict=True):
        before = time.perf_counter_ns()
        if order is None:
            cancel(number, _AT_MS)
        else:
            place(order, _AT_MS)
        took.append(time.perf_counter_ns() - before)
        if len(took) % _PORTION == 0 and time.perf_counter() > until:
            break
    return Outcome(_compiled(), done, trades, passed, worked, 0.0, ack_ms(took, 1_000_000))


def _paced(
    book: matcher.Matcher, numbers: list[int], orders: list[OrderState | None], task: Task
) -> Outcome:
    """On a schedule: latencies count from when each was due."""
    interval = _SECOND / task.rate
    most = int(task.rate * task.seconds)
    trades = 0
    took = array("Q")
    worked, began = time.process_time(), time.perf_counter_ns()
    for place, (order, number) in enumerate(zip(orders[:most], numbers[:most], strict=True)):
        due = began + int(place * interval)
        while time.perf_counter_ns() < due:
            pass
        if order is None:
            book.cancel(number, _AT_MS)
        else:
            trades += len(book.place(order, _AT_MS))
        took.append(time.perf_counter_ns() - due)
    passed = (time.perf_counter_ns() - began) / _SECOND
    worked = time.process_time() - worked
    return Outcome(_compiled(), len(took), trades, passed, worked, 0.0, ack_ms(took, 1_000_000))


def _compiled() -> bool:
    return not matcher.__file__.endswith(".py")


def _terms() -> MarketTerms:
    return MarketTerms(
        id=MARKET,
        base="USDT",
        quote="EUR",
        base_places=6,
        quote_places=2,
        price_places=4,
        lot=LOT,
        min_trade=LOT,
        max_trade=50_000 * USDT,
        escrow="ledger",
        status="open",
        payment_seconds=3_600,
        release_seconds=3_600,
        protection_bps=500,
        max_fee_bps=100,
        methods=[METHOD, OTHER],
    )


def _order(step: Step) -> OrderState:
    """Buyers and sellers are different people, so that every pair may trade."""
    owner = step.number % 1_000 + (1 if step.side == "buy" else 10_001)
    return _state(step.number, owner, step.side, step.price, step.lots * LOT)


def _hostile(number: int) -> OrderState:
    """An offer at a fine price that nobody of the stream can take.

    In turn: another payment method, a smallest trade above every order, people of a tier that
    nobody has.
    """
    side = "buy" if number % 2 else "sell"
    price = MID + (100 if side == "buy" else -100)
    large = 10_000 * USDT
    kind = number // 2 % 3
    return _state(
        _LARGE + number,
        50_000 + number,
        side,
        price,
        large,
        methods=(OTHER,) if kind == 0 else (METHOD,),
        min_trade=large if kind == 1 else LOT,
        conditions=Conditions(min_tier=99) if kind == 2 else None,
    )


def _state(
    id_: int,
    owner: int,
    side: str,
    price: int,
    units: int,
    *,
    methods: tuple[str, ...] = (METHOD,),
    min_trade: int = LOT,
    conditions: Conditions | None = None,
) -> OrderState:
    return OrderState(
        id=id_,
        owner_id=owner,
        market_id=MARKET,
        side=side,
        order_type="limit",
        price_kind="fixed",
        price_ticks=price,
        margin_bps=None,
        quantity=units,
        remaining=units,
        min_trade=min_trade,
        max_trade=50_000 * USDT,
        methods=methods,
        accounts={},
        tif="GTC",
        max_fee_bps=100,
        held=units if side == "sell" else 0,
        status="open",
        reason=None,
        authority=None,
        take_order=None,
        created_ms=_AT_MS,
        updated_ms=_AT_MS,
        priority=id_,
        conditions=conditions,
    )


if __name__ == "__main__":
    main()
