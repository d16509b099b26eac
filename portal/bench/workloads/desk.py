"""A busy day at the desk: quotes, takes, cancels, index prices, payments, releases, disputes."""

import random
from collections import Counter, deque
from typing import Any

from portal.bench.commands import MID, USDT, body, define_market, deposit, index_tick, place_order
from portal.bench.workloads import Answer, Setup
from portal.bench.workloads.lifecycle import WHOLE, command_of

MARKETS = 40
TAKERS = 4_000
ARBITER = 900_000
_FUNDS = 10**9 * USDT
_KEPT = 20_000
# Of 200 slots 100 are orders and 99 are the trades' own steps; the rest are index prices.
PATTERN = ("order", "trade") * 99 + ("order", "tick")
ORDERS_SHARE = PATTERN.count("order") / len(PATTERN)
_DISPUTED, _STEPPED_BACK = 0.02, 0.03

Trade = tuple[int, int, int]


class Desk:
    """Forty markets with one professional each, thousands of takers, and every trade to its end.

    Of the orders 70 % are quotes of the professionals (a sixth at a floating price), 10 % take a
    given offer, 3 % cross the book and drop what is left, 17 % cancel. Of the trades 2 % are
    disputed and 3 % end before payment. What is known of offers and trades comes from the
    answers, so that an offer may be gone when somebody takes it (`conflict`, or `invalid_input`
    when less is left of it than they wanted).
    """

    expected = frozenset({"conflict", "invalid_input"})

    def __init__(self, seed: int = 1) -> None:
        self._rng = random.Random(seed)  # noqa: S311
        self._sent: dict[int, tuple[str, Any]] = {}
        self._offers: deque[tuple[int, int, str]] = deque(maxlen=_KEPT)
        self._queues: dict[str, deque[Trade]] = {
            step: deque() for step in (*WHOLE, "back", "dispute", "resolve")
        }
        self._turn = 0
        self._counts: Counter[str] = Counter()

    def setup(self) -> Setup:
        """Markets with an index price, and rich people."""
        yield [define_market(_market(n), methods=["sepa", "pix"]) for n in range(MARKETS)]
        yield [index_tick(MID, _market(n)) for n in range(MARKETS)]
        yield [deposit(owner, _FUNDS) for owner in range(1, MARKETS + TAKERS + 1)]

    def command(self, number: int) -> bytes:
        """The slot's command; where no trade waits for a step it is an order too."""
        what = PATTERN[number % len(PATTERN)]
        kind, text, note = self._step() if what == "trade" else (what, b"", None)
        if what == "tick":
            market = self._rng.randrange(MARKETS)
            text = index_tick(MID + self._rng.randint(-20, 20), _market(market))
        elif not text:
            kind, text, note = self._order()
        self._sent[number] = (kind, note)
        self._counts[kind] += 1
        return text

    def _order(self) -> tuple[str, bytes, Any]:
        draw = self._rng.random()
        if draw < 0.17 and self._offers:
            return self._cancel()
        if draw < 0.27 and self._offers:
            return self._take()
        return self._cross() if draw < 0.30 else self._quote()

    def _quote(self) -> tuple[str, bytes, Any]:
        rng = self._rng
        maker = rng.randrange(MARKETS)
        side = rng.choice(("buy", "sell"))
        away = rng.randint(30, 120) * (1 if side == "sell" else -1)
        terms: dict[str, Any] = {"market": _market(maker), "methods": ["sepa", "pix"]}
        price: int | None = MID + away
        if rng.random() < 1 / 6:
            price, terms = None, terms | {"price_kind": "floating", "margin_bps": away}
        text = place_order(1 + maker, side, price, rng.randint(2, 20) * 100 * USDT, **terms)
        return "quote", text, (maker, side)

    def _take(self) -> tuple[str, bytes, Any]:
        """Take part of an offer at its price; the professional's side is the other one."""
        order_id, maker, side = self._offers[self._rng.randrange(len(self._offers))]
        taker = self._taker()
        mine = "buy" if side == "sell" else "sell"
        worst = MID * 2 if mine == "buy" else 1
        terms = {"market": _market(maker), "take_order": order_id, "tif": "IOC"}
        text = place_order(taker, mine, worst, 20 * USDT, **terms)
        return "take", text, (maker, mine, taker)

    def _cross(self) -> tuple[str, bytes, Any]:
        maker, taker = self._rng.randrange(MARKETS), self._taker()
        mine = self._rng.choice(("buy", "sell"))
        price = MID + (200 if mine == "buy" else -200)
        text = place_order(taker, mine, price, 20 * USDT, market=_market(maker), tif="IOC")
        return "cross", text, (maker, mine, taker)

    def _cancel(self) -> tuple[str, bytes, Any]:
        order_id, maker, _ = self._offers.popleft()
        return "cancel", body("cancel_order", order_id=order_id, owner=1 + maker), None

    def _taker(self) -> int:
        return MARKETS + 1 + self._rng.randrange(TAKERS)

    def _step(self) -> tuple[str, bytes, Any]:
        """The next step of a trade that waits for one; the steps take turns."""
        names = list(self._queues)
        for _ in names:
            self._turn = (self._turn + 1) % len(names)
            name = names[self._turn]
            if self._queues[name]:
                trade = self._queues[name].popleft()
                return name, _step_command(name, trade), trade
        return "", b"", None

    def answered(self, number: int, answer: Answer) -> None:
        """What an answer tells decides what can be sent next."""
        kind, note = self._sent.pop(number)
        if kind == "quote" and answer.status == "open":
            self._offers.append((answer.order_id, *note))
        elif kind in ("take", "cross"):
            maker, mine, taker = note
            seller, buyer = (1 + maker, taker) if mine == "buy" else (taker, 1 + maker)
            self._queues["clear"].extend((id_, seller, buyer) for id_ in answer.trades)
        elif following := self._following(kind):
            self._queues[following].append(note)

    def _following(self, kind: str) -> str | None:
        draw = self._rng.random()
        if kind == "lock":
            return "back" if draw < _STEPPED_BACK else "paid"
        if kind == "paid":
            return "dispute" if draw < _DISPUTED else "release"
        return {
            "clear": "lock",
            "release": "settle",
            "back": "settle",
            "dispute": "resolve",
            "resolve": "settle",
        }.get(kind)

    def refused(self, number: int) -> None:
        """A slot's command was refused: nothing follows it."""
        self._sent.pop(number, None)

    def figures(self) -> dict[str, Any]:
        """How many of each kind were sent, and how many trades still wait for a step."""
        waiting = sum(len(queue) for queue in self._queues.values())
        return {"sent": dict(sorted(self._counts.items())), "trades_waiting": waiting}


def _market(number: int) -> str:
    return f"USDT-EUR-{number}"


def _step_command(name: str, trade: Trade) -> bytes:
    trade_id, seller, buyer = trade
    if name == "back":
        return body("cancel_trade", trade_id=trade_id, actor=buyer)
    if name == "dispute":
        return body("dispute", trade_id=trade_id, actor=buyer, reason="No coins yet.")
    if name == "resolve":
        return body("resolve", trade_id=trade_id, outcome="buyer", actor=ARBITER)
    return command_of(name, trade_id, seller, buyer)
