"""The matcher against a reference that looks at everything: the same trades, the same book."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.orders.histories import Both, Step, steps


@settings(max_examples=150, deadline=None)
@given(history=st.lists(steps, min_size=10, max_size=60))
def test_every_history_gives_the_trades_and_the_book_of_the_reference(history: list[Step]) -> None:
    both = Both()
    for name, values in history:
        both.do(name, values)
        assert both.trades == both.reference.trades
        assert both.book() == both.reference.book()
