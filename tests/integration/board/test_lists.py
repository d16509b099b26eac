"""Lists and books out of many offers: the right ones in the right order, found by the index."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.board import building
from portal.board.queries import Wanted, _walk, best_places
from portal.core.db import Database
from portal.core.errors import Conflict
from portal.engine.connection import Connection
from portal.engine.local import LocalEngine
from portal.orders.models import Order
from portal.orders.offers import MOST_OFFERS, best_for, book, offers
from portal.orders.queries import load_frame
from portal.users.models import User
from tests.factories.engine import BOB, define_market, place_order, take
from tests.factories.markets import add_market
from tests.integration.board.history import PEOPLE, History

pytestmark = pytest.mark.postgres
MARKET, SHARD, MANY = "USDT-EUR", "main", 100_000


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.transaction() as session:
        add_market(session)
        session.add_all(_person(number) for number in PEOPLE)
    with database.reader() as session:
        yield session


def _person(number: int) -> User:
    name = f"trader{number}"
    return User(
        id=number,
        username=name,
        nickname=name,
        email=f"{name}@demo.test",
        first_name=name,
        last_name="Example",
        kind="trader",
        kyc_tier=1,
        active=True,
    )


def lived(engine: LocalEngine, connection: Connection, clock: list[int]) -> None:
    History(engine, clock, 11).live(150)
    engine.submit({"kind": "index_tick", "market": MARKET, "price": 9205})
    building.build(connection, SHARD)


def in_book(session: Session, side: str) -> list[tuple[int, Order]]:
    """Effective price and order of all that stand in the book, best first, by plain arithmetic."""
    frame = load_frame(session, MARKET)
    rows = session.scalars(
        select(Order).where(
            Order.status == "open",
            Order.side == side,
            Order.paused.is_(None),
            Order.link.is_(None),
        )
    )
    priced = [(frame.effective(order) or 0, order) for order in rows]
    sign = 1 if side == "sell" else -1
    return sorted(priced, key=lambda one: (sign * one[0], one[1].priority, one[1].id))


@pytest.mark.parametrize("side", ["sell", "buy"])
def test_offers_are_those_in_the_book_best_first(
    side: str, engine: LocalEngine, connection: Connection, session: Session, clock: list[int]
) -> None:
    clock[0] = 10**13  # Beyond now, so that none has passed its date for a reader.
    lived(engine, connection, clock)
    wanted = [order.id for _, order in in_book(session, side)][:MOST_OFFERS]
    assert wanted
    assert [view.order_id for view in offers(session, MARKET, side)] == wanted  # type: ignore[arg-type]


def test_a_book_sums_up_what_offers_there_are(
    engine: LocalEngine, connection: Connection, session: Session, clock: list[int]
) -> None:
    lived(engine, connection, clock)
    frame = load_frame(session, MARKET)
    view = book(session, MARKET, depth=5)
    for side, levels in (("buy", view.bids), ("sell", view.asks)):
        sums: dict[int, list[int]] = {}
        for price, order in in_book(session, side):
            sums.setdefault(price, []).append(order.remaining)
        wanted = [(frame.price(p), frame.amount(sum(q)), len(q)) for p, q in sums.items()][:5]
        assert [(level.price, level.quantity, level.orders) for level in levels] == wanted


def test_the_best_price_for_somebody_leaves_out_their_own_and_other_methods(
    engine: LocalEngine, connection: Connection, session: Session, clock: list[int]
) -> None:
    lived(engine, connection, clock)
    frame = load_frame(session, MARKET)
    for side, best in (("sell", min), ("buy", max)):
        prices = [
            price
            for price, order in in_book(session, side)
            if order.owner_id != BOB and "pix" in order.methods
        ]
        assert best_for(session, frame, side, ["pix"], BOB) == best(prices, default=None)


def test_an_offer_that_has_gone_is_not_listed_and_the_engine_says_so(
    engine: LocalEngine, connection: Connection, session: Session
) -> None:
    order = engine.submit(place_order())["order_id"]
    building.build(connection, SHARD)
    engine.submit({"kind": "cancel_order", "owner": 1, "order_id": order})
    assert best_places(session, MARKET, "sell", Wanted(), 5)
    assert offers(session, MARKET, "sell") == []
    with pytest.raises(Conflict, match="This offer is gone"):
        engine.submit(take(order))


def test_a_list_of_many_offers_walks_down_the_index(
    engine: LocalEngine, connection: Connection, session: Session
) -> None:
    engine.submit(define_market(id="OTHER-EUR", base="OTHER"))
    connection.execute(_MANY_ORDERS)
    building.build(connection, SHARD)
    for table in ("offer", "depth"):
        connection.execute(f"ANALYZE {table}".encode())
    wanted = Wanted(methods=("sepa",), quantity=5_000_000, but_of=BOB)
    for kind in ("fixed", "bound", "floating"):
        plan = _plan(session, _walk(MARKET, "sell", kind, wanted, MOST_OFFERS))
        assert "ix_offer_best" in plan
        assert "Sort" not in plan
    rare = _plan(session, _walk(MARKET, "sell", "fixed", Wanted(methods=("pix",)), MOST_OFFERS))
    assert "ix_offer_methods" in rare
    found = offers(session, MARKET, "sell", method="sepa")
    assert len(found) == MOST_OFFERS
    assert [view.price for view in found] == sorted(str(view.price) for view in found)
    assert sum(level.orders for level in book(session, MARKET, 200).asks) > MOST_OFFERS


def _plan(session: Session, query: object) -> str:
    statement = query.compile(  # type: ignore[attr-defined]
        session.get_bind(), compile_kwargs={"literal_binds": True}
    )
    return "\n".join(session.scalars(text(f"EXPLAIN {statement}".replace(":", r"\:"))))


# Half of them floating, of those half with bounds; one in a thousand pays by pix.
_MANY_ORDERS = f"""
    INSERT INTO "order" (id, shard, owner_id, market_id, side, order_type, price_kind,
        price_ticks, margin_bps, quantity, remaining, min_trade, max_trade, methods, accounts,
        tif, max_fee_bps, held, status, created_ms, updated_ms, floor_ticks, ceiling_ticks,
        post_only, stp, shared, priority, maker_fee_bps, taker_fee_bps)
    SELECT n, 'main', n % 6 + 1, 'USDT-EUR', CASE WHEN n % 2 = 0 THEN 'sell' ELSE 'buy' END,
        'limit', CASE WHEN n % 4 < 2 THEN 'fixed' ELSE 'floating' END,
        CASE WHEN n % 4 < 2 THEN 9200 + CASE WHEN n % 2 = 0 THEN n % 797 ELSE -n % 797 END END,
        CASE WHEN n % 4 >= 2 THEN CASE WHEN n % 2 = 0 THEN n % 997 ELSE -n % 997 END END,
        100000000, 100000000, 1000000, 50000000,
        CASE WHEN n % 1000 = 0 THEN '["pix"]' ELSE '["sepa"]' END::jsonb, '{{}}', 'GTC', 100, 0,
        'open', 0, 0, CASE WHEN n % 8 IN (2, 3) THEN 9000 + n % 400 END,
        CASE WHEN n % 16 IN (2, 3) THEN 9400 + n % 400 END, false, 'cancel_newest', true, n, 0, 0
    FROM generate_series(1000000000000::int8, 1000000000000::int8 + {MANY}) AS n
""".encode()
