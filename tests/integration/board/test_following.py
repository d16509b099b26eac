"""The board shows what a plain reading of the engine's tables gives, whatever happened."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from portal.board import building, following
from portal.board.following import NotFollowing
from portal.board.models import Depth, Offer, TrackRecord
from portal.core.db import Database
from portal.core.errors import PortalError
from portal.engine.connection import Connection
from portal.engine.local import LocalEngine
from portal.engine.models import MarketState
from portal.orders.models import Order
from portal.orders.rules import floating_price
from portal.trades.models import Trade
from tests.factories.engine import USDT, define_market, deposit, place_order

pytestmark = pytest.mark.postgres
PEOPLE = range(1, 7)
SHARD = "main"


@pytest.fixture
def clock() -> list[int]:
    """The engine's time: one number, to be moved."""
    return [1_790_000_000_000]


@pytest.fixture
def engine(database: Database, clock: list[int]) -> Iterator[LocalEngine]:
    engine = LocalEngine(database, clock=lambda: clock[0])
    engine.submit(define_market())
    engine.submit({"kind": "index_tick", "market": "USDT-EUR", "price": 9200})
    for person in PEOPLE:
        engine.submit(deposit(person, 10**6 * USDT))
    yield engine
    engine.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    url = database.engine.url.render_as_string(hide_password=False)
    with following.open_connection(url) as connection:
        yield connection


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


def follow(connection: Connection) -> None:
    """As the scheduler does, built anew only where it was never built."""
    try:
        following.follow(connection, SHARD)
    except NotFollowing:
        building.build(connection, SHARD)


def expected_offers(database: Database) -> dict[int, tuple[Any, ...]]:
    """What the board must hold, by plain arithmetic over the rows of table `order`."""
    with database.reader() as session:
        index = session.get_one(MarketState, "USDT-EUR").index_ticks
        query = select(Order).where(
            Order.status == "open", Order.paused.is_(None), Order.link.is_(None)
        )
        return {order.id: _as_offer(order, index) for order in session.scalars(query)}


def _as_offer(order: Order, index: int | None) -> tuple[Any, ...]:
    kind, value = "fixed", order.price_ticks
    if order.price_kind == "floating":
        kind, value = "floating", order.margin_bps
        free = floating_price(index, order.margin_bps or 0) if index else 0
        if order.ceiling_ticks is not None and free > order.ceiling_ticks:
            kind, value = "bound", order.ceiling_ticks
        elif order.floor_ticks is not None and free < order.floor_ticks:
            kind, value = "bound", order.floor_ticks
    rank = (value or 0) if order.side == "sell" else -(value or 0)
    most = min(order.max_trade, order.remaining)
    return order.side, kind, rank, order.remaining, order.min_trade, most, order.methods


def held_offers(database: Database) -> dict[int, tuple[Any, ...]]:
    with database.reader() as session:
        return {
            o.order_id: (o.side, o.kind, o.rank, o.quantity, o.min_trade, o.most, o.methods)
            for o in session.scalars(select(Offer))
        }


def held_depth(database: Database) -> dict[tuple[str, str, int], tuple[int, int]]:
    with database.reader() as session:
        return {
            (d.side, d.kind, d.rank): (int(d.quantity), d.orders)
            for d in session.scalars(select(Depth))
        }


def expected_depth(database: Database) -> dict[tuple[str, str, int], tuple[int, int]]:
    found: dict[tuple[str, str, int], tuple[int, int]] = {}
    for side, kind, rank, quantity, *_ in expected_offers(database).values():
        before = found.get((side, kind, rank), (0, 0))
        found[(side, kind, rank)] = (before[0] + quantity, before[1] + 1)
    return found


def expected_records(database: Database) -> tuple[Counter[int], Counter[int]]:
    completed: Counter[int] = Counter()
    ended: Counter[int] = Counter()
    with database.reader() as session:
        for trade in session.scalars(select(Trade).where(Trade.settled)):
            for person in (trade.buyer_id, trade.seller_id):
                ended[person] += 1
                completed[person] += trade.state in ("completed", "resolved_buyer")
    return completed, ended


def held_records(database: Database) -> tuple[Counter[int], Counter[int]]:
    with database.reader() as session:
        rows = session.scalars(select(TrackRecord)).all()
        completed = Counter({row.user_id: row.completed for row in rows})
        return completed, Counter({row.user_id: row.ended for row in rows})


def require_right(database: Database) -> None:
    assert held_offers(database) == expected_offers(database)
    assert held_depth(database) == expected_depth(database)
    assert held_records(database) == expected_records(database)


@pytest.mark.parametrize("seed", range(4))
def test_a_random_history_gives_what_a_plain_reading_gives(
    seed: int, engine: LocalEngine, database: Database, connection: Connection, clock: list[int]
) -> None:
    history = History(engine, clock, seed)
    follow(connection)
    for _ in range(6):
        history.live(60)
        follow(connection)
        require_right(database)
    assert held_offers(database)
    assert sum(held_records(database)[1].values())
    assert building.differences(connection, SHARD) == []


def test_one_batch_at_a_time_ends_where_all_at_once_does(
    engine: LocalEngine, database: Database, connection: Connection, clock: list[int]
) -> None:
    building.build(connection, SHARD)
    History(engine, clock, 5).live(200)
    following.follow(connection, SHARD, at_most=1)
    require_right(database)
    assert building.build(connection, SHARD).mended == 0
