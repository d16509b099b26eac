"""The stream of orders: limit orders around a mid price, half of them crossing, some cancels."""

import random
from typing import Any

from portal.bench.commands import (
    MID,
    USDT,
    define_market,
    deposit,
    methods_of,
    place_order,
)
from portal.bench.workloads import Answer, Setup

POOL = 65_536
_FUNDS = 10**9 * USDT
_CROSSING = 60
_DEEP_SHARE = 0.2
_REMEMBERED = 20_000
_PORTION = 20_000


class Orders:
    """`cancels` of all commands cancel; of the rest half cross the spread, half rest beside it.

    A fifth of those that rest stand beyond the reach of those that cross, and only they are
    cancelled: every command can be carried out, so a refusal is a defect. Before the clock
    starts `resting` orders stand far from the mid, and `played` commands of the stream are over.
    """

    expected: frozenset[str] = frozenset()

    def __init__(
        self,
        seed: int = 1,
        owners: int = 2_000,
        cancels: float = 0.1,
        resting: int = 0,
        played: int = 0,
    ) -> None:
        self._rng = random.Random(seed)  # noqa: S311
        self._owners = owners
        self._resting_before, self._played = resting, played
        self._deep: set[int] = set()
        self._pool = [self._slot(number, cancels) for number in range(POOL)]
        self._waiting: dict[int, bytes] = {}
        self._resting: list[tuple[int, bytes]] = []
        self._trades = self._rested = self._cancels = 0

    def setup(self) -> Setup:
        """A market and rich owners."""
        yield [define_market()]
        yield [deposit(owner, _FUNDS) for owner in range(1, self._owners + 1)]
        for begin in range(0, self._resting_before, _PORTION):
            count = min(_PORTION, self._resting_before - begin)
            yield [self._far_order() for _ in range(count)]
        for begin in range(0, self._played, _PORTION):
            numbers = range(begin, min(begin + _PORTION, self._played))
            yield [self.command(number) for number in numbers]

    def _far_order(self) -> bytes:
        """An order that no other of this stream reaches."""
        rng = self._rng
        side = rng.choice(("buy", "sell"))
        away = rng.randint(2 * _CROSSING + 1, 2_000) * (-1 if side == "buy" else 1)
        units, methods = rng.randint(10, 100) * USDT, methods_of(rng)
        return place_order(rng.randint(1, self._owners), side, MID + away, units, methods=methods)

    def command(self, number: int) -> bytes:
        """The pool's command of this slot; None of it is a cancel."""
        place = number % POOL
        body, owner = self._pool[place]
        if body is not None:
            if place in self._deep:
                self._waiting[number] = owner
            return body
        if not self._resting:  # Nothing to cancel yet: another order in its place.
            return self._pool[(place + 1) % POOL][0] or self._fallback(owner)
        self._cancels += 1
        order_id, holder = self._resting.pop()
        return b'"kind":"cancel_order","order_id":%d,"owner":%b}' % (order_id, holder)

    def answered(self, number: int, answer: Answer) -> None:
        """Note what rests, for later cancels."""
        self._trades += len(answer.trades)
        owner = self._waiting.pop(number, None)
        if answer.status == "open":
            self._rested += 1
            if owner is not None and len(self._resting) < _REMEMBERED:
                self._resting.append((answer.order_id, owner))

    def refused(self, number: int) -> None:
        """Forget the slot."""
        self._waiting.pop(number, None)

    def figures(self) -> dict[str, Any]:
        """How many of each."""
        return {"trades": self._trades, "rested": self._rested, "cancels": self._cancels}

    def _slot(self, number: int, cancels: float) -> tuple[bytes | None, bytes]:
        rng = self._rng
        owner = rng.randint(1, self._owners)
        if rng.random() < cancels:
            return None, b"%d" % owner
        side = rng.choice(("buy", "sell"))
        away = rng.randint(1, _CROSSING)
        if number % 2 and rng.random() < _DEEP_SHARE:
            away += _CROSSING
            self._deep.add(number)
        better = 1 if side == "buy" else -1
        price = MID - better * away if number % 2 else MID + better * _CROSSING
        units = rng.randint(10, 100) * USDT
        return place_order(owner, side, price, units, methods=methods_of(rng)), b"%d" % owner

    @staticmethod
    def _fallback(owner: bytes) -> bytes:
        return place_order(int(owner), "buy", MID - 100, 10 * USDT)
