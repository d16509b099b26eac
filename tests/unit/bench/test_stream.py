"""The stream of the matchers: always the same, and what it says it is."""

from portal.bench.stream import MID, far, normal


def test_the_stream_is_the_same_every_time() -> None:
    assert normal(2_000) == normal(2_000)
    assert normal(2_000) != normal(2_000, seed=2)


def test_half_of_the_orders_cross_and_a_tenth_are_cancels() -> None:
    steps = normal(20_000)
    orders = [step for step in steps if step.side]
    crossing = [s for s in orders if (s.price > MID) == (s.side == "buy")]
    assert 0.09 < 1 - len(orders) / len(steps) < 0.11
    assert 0.48 < len(crossing) / len(orders) < 0.52
    assert len({step.number for step in orders}) == len(orders)


def test_only_what_was_placed_before_is_cancelled_and_once() -> None:
    resting = far(100)
    placed = {step.number for step in resting}
    for step in normal(5_000, resting=resting):
        if step.side:
            placed.add(step.number)
        else:
            placed.remove(step.number)


def test_orders_far_away_meet_nothing_of_the_stream() -> None:
    reach = max(step.price for step in normal(5_000) if step.side == "buy")
    assert all(step.price > reach for step in far(1_000) if step.side == "sell")
