"""A random life of a market: whatever people may do, in any order; refusals are part of it."""

import random
from typing import Any

from portal.core.errors import PortalError
from portal.engine.local import LocalEngine
from tests.factories.engine import USDT, place_order

PEOPLE = range(1, 7)


class History:
    """A random life of a market: whatever people may do, in any order; refusals are part of it."""

    def __init__(self, engine: LocalEngine, clock: list[int], seed: int) -> None:
        self._engine, self._clock, self._random = engine, clock, random.Random(seed)
        self._orders: list[tuple[int, int]] = []
        self._trades: list[int] = []

    def live(self, steps: int) -> None:
        while not self._trades:
            self._place()
        for _ in range(steps):
            act = self._random.choice(
                [self._place] * 8
                + [self._trade] * 6
                + [self._cancel, self._amend, self._pause, self._away, self._tick]
                + [self._clock_tick, self._cancel_all]
            )
            try:
                act()
            except PortalError:
                continue

    def _place(self) -> None:
        owner, pick = self._random.choice(PEOPLE), self._random.choice
        terms: dict[str, Any] = {"price": 9200 + self._random.randrange(-20, 20)}
        if self._random.random() < 0.5:
            margin = self._random.randrange(-200, 200)
            terms = {"price": None, "price_kind": "floating", "margin_bps": margin}
            if self._random.random() < 0.7:
                terms["floor"] = self._random.randrange(9000, 9300)
            if self._random.random() < 0.7:
                terms["ceiling"] = self._random.randrange(9300, 9500)
        if self._random.random() < 0.15:
            terms["link"] = "secret" * 6
        if self._random.random() < 0.2:
            terms |= {"tif": "GTD", "expires_ms": self._clock[0] + 100_000}
        answer = self._submit(
            place_order(
                owner=owner,
                side=pick(("sell", "buy")),
                quantity=self._random.randrange(2, 400) * USDT,
                methods=pick((["sepa"], ["pix"], ["pix", "sepa"])),
                accounts={"sepa": 11, "pix": 12},
                shared=self._random.random() < 0.3,
                **terms,
            )
        )
        self._orders.append((owner, answer["order_id"]))
        self._trades += answer["trades"]

    def _cancel(self) -> None:
        owner, order = self._random.choice(self._orders)
        self._submit({"kind": "cancel_order", "owner": owner, "order_id": order})

    def _amend(self) -> None:
        owner, order = self._random.choice(self._orders)
        self._submit(
            {
                "kind": "amend_order",
                "owner": owner,
                "order_id": order,
                "remaining": self._random.randrange(2, 300) * USDT,
            }
        )

    def _pause(self) -> None:
        owner, order = self._random.choice(self._orders)
        paused = self._random.random() < 0.6
        self._submit({"kind": "pause_order", "owner": owner, "order_id": order, "paused": paused})

    def _away(self) -> None:
        away = self._random.random() < 0.3
        self._submit({"kind": "set_away", "owner": self._random.choice(PEOPLE), "away": away})

    def _cancel_all(self) -> None:
        if self._random.random() < 0.2:
            self._submit({"kind": "cancel_all", "owner": self._random.choice(PEOPLE)})

    def _tick(self) -> None:
        price = self._random.choice((None, *(self._random.randrange(8900, 9600),) * 9))
        self._submit({"kind": "index_tick", "market": "USDT-EUR", "price": price})

    def _clock_tick(self) -> None:
        self._clock[0] += self._random.randrange(60_000)
        self._submit({"kind": "clock_tick"})

    def _trade(self) -> None:
        trade = self._random.choice(self._trades)
        paid = {"kind": "settled", "trade_id": trade, "reference": "test"}
        with_end = self._random.random()
        self._submit({"kind": "clear_trade", "trade_id": trade, "decision": "allow"})
        self._submit({"kind": "escrow_locked", "trade_id": trade, "reference": "test"})
        buyer, seller = self._parties(trade)
        if with_end < 0.3:
            self._submit({"kind": "cancel_trade", "trade_id": trade, "actor": buyer})
            self._submit(paid)
            return
        self._submit({"kind": "mark_paid", "trade_id": trade, "actor": buyer})
        self._clock[0] += self._random.randrange(60_000)
        if with_end < 0.5:
            dispute = {"kind": "dispute", "trade_id": trade, "actor": buyer, "reason": "x"}
            outcome = self._random.choice(("buyer", "seller"))
            self._submit(dispute)
            self._submit(
                {"kind": "resolve", "trade_id": trade, "actor": 9, "outcome": outcome}
                | {"reason": "x"}
            )
            self._submit(paid)
            return
        self._submit({"kind": "release", "trade_id": trade, "actor": seller})
        if with_end < 0.9:
            self._submit(paid)

    def _parties(self, trade_id: int) -> tuple[int, int]:
        trade = self._engine._sequencer.state.trades[trade_id]  # type: ignore[union-attr]
        return trade.buyer_id, trade.seller_id

    def _submit(self, command: dict[str, Any]) -> dict[str, Any]:
        return self._engine.submit(command)
