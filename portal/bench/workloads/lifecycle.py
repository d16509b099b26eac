"""Trades on their way: lock, paid, release, each sent by its party at its time."""

from collections import Counter
from typing import Any

from portal.bench.commands import MID, USDT, body, define_market, deposit, place_order
from portal.bench.workloads import Answer, Setup

SHORT = ("lock", "paid", "release")
WHOLE = ("clear", *SHORT, "settle")
_SIZE = 10 * USDT
_PEOPLE = 500
_PORTION = 20_000


class Lifecycle:
    """`per_second` trades begin each second; every later step comes `lag` seconds after the last.

    Slots go round the steps. In its turn each step takes the trade that is `lag` further on its
    way, so the schedule is fixed: a step that is answered later than `lag` would be refused.
    """

    expected: frozenset[str] = frozenset()

    def __init__(
        self, per_second: float, seconds: float, whole: bool = False, lag: float = 1.0
    ) -> None:
        self._steps = WHOLE if whole else SHORT
        self._lag = max(1, int(per_second * lag))
        self._count = int(per_second * seconds) + 1 + self._lag * len(self._steps)
        self._trades: list[tuple[int, int, int]] = []
        self._states: Counter[str] = Counter()

    def setup(self) -> Setup:
        """Matched trades, as far on their way as the first slots need them."""
        takes = -(-self._count // _PEOPLE)
        sellers = range(1, _PEOPLE + 1)
        offered = takes * _SIZE
        yield [define_market(max_trade=max(50_000 * USDT, offered))]
        yield [deposit(seller, 2 * offered) for seller in sellers]
        offers = yield [
            place_order(seller, "sell", MID, offered, max_trade=_SIZE) for seller in sellers
        ]
        for begin in range(0, self._count, _PORTION):
            yield from self._take(offers, range(begin, min(begin + _PORTION, self._count)))
        if "clear" not in self._steps:
            yield from self._advance("clear", self._count)
        for place, step in enumerate(self._steps):
            yield from self._advance(step, self._ahead(place))

    def _take(self, offers: list[Answer], numbers: range) -> Setup:
        wanted = []
        for number in numbers:
            buyer = _PEOPLE + 1 + number % _PEOPLE
            offer = offers[number % _PEOPLE].order_id
            wanted.append(place_order(buyer, "buy", MID, _SIZE, take_order=offer))
        answers = yield wanted
        for number, answer in zip(numbers, answers, strict=True):
            seller = 1 + number % _PEOPLE
            self._trades.append((answer.trades[0], seller, _PEOPLE + seller))

    def _advance(self, step: str, count: int) -> Setup:
        for begin in range(0, count, _PORTION):
            end = min(begin + _PORTION, count)
            yield [command_of(step, *self._trades[place]) for place in range(begin, end)]

    def _ahead(self, place: int) -> int:
        return (len(self._steps) - 1 - place) * self._lag

    def command(self, number: int) -> bytes:
        """The slot's step of the trade whose turn it is."""
        turn, place = divmod(number, len(self._steps))
        return command_of(self._steps[place], *self._trades[turn + self._ahead(place)])

    def answered(self, number: int, answer: Answer) -> None:
        """Count the states that trades came to."""
        self._states[answer.state] += 1

    def refused(self, number: int) -> None:
        """Nothing to note: no refusal is expected."""

    def figures(self) -> dict[str, Any]:
        """How many trades came to each state while the load ran."""
        return {"states": dict(self._states)}


def command_of(step: str, trade_id: int, seller: int, buyer: int) -> bytes:
    """What moves a trade one step on, from whoever may do it."""
    if step == "clear":
        return body("clear_trade", trade_id=trade_id, decision="allow")
    if step == "lock":
        return body("escrow_locked", trade_id=trade_id, reference="bench")
    if step == "paid":
        return body("mark_paid", trade_id=trade_id, actor=buyer)
    if step == "release":
        return body("release", trade_id=trade_id, actor=seller)
    return body("settled", trade_id=trade_id, reference="bench")
