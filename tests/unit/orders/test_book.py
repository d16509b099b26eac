"""The book against a plain model of it: sort everything, look at everything."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.orders.book import BookSide
from portal.orders.rules import OrderState, effective_price, fill_size, protected_limit

METHODS = ("sepa", "pix", "upi")


def order(number: int, side: str = "sell", **changes: Any) -> OrderState:
    """Order `number`: 100 units at 9200 for SEPA."""
    plain = OrderState(
        id=number,
        owner_id=1,
        market_id="M",
        side=side,
        order_type="limit",
        price_kind="fixed",
        price_ticks=9200,
        margin_bps=None,
        quantity=100,
        remaining=100,
        min_trade=1,
        max_trade=100,
        methods=["sepa"],
        accounts={},
        tif="GTC",
        max_fee_bps=0,
        held=0,
        status="open",
        reason=None,
        authority=None,
        take_order=None,
        created_ms=0,
        updated_ms=0,
    )
    return replace(plain, **changes)


@st.composite
def resting(draw: st.DrawFn, side: str) -> list[OrderState]:
    orders = []
    for number in range(1, draw(st.integers(1, 25)) + 1):
        methods = draw(st.lists(st.sampled_from(METHODS), min_size=1, max_size=3, unique=True))
        if draw(st.booleans()):
            price = {"price_ticks": draw(st.integers(9190, 9210))}
        else:
            # Whole per cents of 10,000 ticks: no two margins round to the same tick.
            margin = draw(st.integers(-9, 9)) * 100
            price = {"price_kind": "floating", "price_ticks": None, "margin_bps": margin}
        orders.append(order(number, side, methods=methods, **price))
    return orders


@settings(max_examples=300)
@given(data=st.data(), side=st.sampled_from(["buy", "sell"]), has_index=st.booleans())
def test_the_walk_is_price_then_time_over_compatible_orders(
    data: st.DataObject, side: str, has_index: bool
) -> None:
    orders = data.draw(resting(side))
    wanted = data.draw(st.lists(st.sampled_from(METHODS), min_size=1, max_size=3, unique=True))
    gone = data.draw(st.sets(st.sampled_from([o.id for o in orders])))
    index = 10_000 if has_index else None
    book = BookSide(side)
    for item in orders:
        book.add(item)
    for number in gone:
        book.remove(number)

    def expected() -> list[int]:
        sign = -1 if side == "buy" else 1
        alive = [
            (sign * price, item.id)
            for item in orders
            if item.id not in gone
            and set(item.methods) & set(wanted)
            and (price := effective_price(item, index)) is not None
        ]
        return [number for _, number in sorted(alive)]

    assert [item.id for item, _ in book.walk(wanted, index)] == expected()
    # A walk leaves the book as it was, also when it is left early.
    for _ in book.walk(wanted, index):
        break
    assert [item.id for item, _ in book.walk(wanted, index)] == expected()


def test_a_fill_is_a_whole_number_of_lots_within_both_limits() -> None:
    taker, maker = order(1, remaining=97), order(2, min_trade=20, max_trade=55)
    assert fill_size(taker, maker, 10) == 50
    assert fill_size(order(1, remaining=15), maker, 10) == 0


def test_protection_is_never_wider_than_the_band() -> None:
    assert protected_limit("buy", 9999, 300) <= 9999 * 10_300 / 10_000
    assert protected_limit("sell", 9999, 300) >= 9999 * 9_700 / 10_000
    assert protected_limit("sell", 1, 10_000) == 1
