"""How many orders are let in at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.gateway.pressure import Pressure, TooBusy


def test_one_key_does_not_use_up_the_room_of_others() -> None:
    pressure = Pressure(most=10, most_of_one=6)
    done = pressure.take("a", 6)
    with pytest.raises(TooBusy, match="6 orders") as refusal:
        pressure.take("a", 1)
    assert refusal.value.retry_after == 1
    pressure.take("b", 4)
    with pytest.raises(TooBusy, match="as many orders"):
        pressure.take("c", 1)
    done()
    pressure.take("a", 6)
    assert pressure.in_flight == 10


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5), st.booleans())))
def test_what_is_given_back_is_what_was_taken(steps: list[tuple[str, int, bool]]) -> None:
    pressure, held = Pressure(20, 12), []
    for key, count, give_back in steps:
        try:
            held.append(pressure.take(key, count))
        except TooBusy:
            assert pressure.in_flight + count > 12
        if give_back and held:
            held.pop()()
    for done in held:
        done()
    assert pressure.in_flight == 0
    assert pressure._of_one == {}
