"""A dictionary by id does what a dictionary does."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.by_id import ById

# Few ids, some of them neighbours, some far apart, so that blocks come and go.
IDS = st.sampled_from([1, 2, 8_191, 8_192, 8_193, 10**14 + 1, 10**14 + 2])
STEPS = st.lists(st.tuples(st.sampled_from(["put", "discard", "get"]), IDS, st.integers()))


@given(STEPS)
def test_it_is_a_dictionary(steps: list[tuple[str, int, int]]) -> None:
    ours: ById[int] = ById()
    model: dict[int, int] = {}
    for what, id_, value in steps:
        if what == "put":
            ours[id_] = model[id_] = value
        elif what == "discard":
            ours.discard(id_)
            model.pop(id_, None)
        assert ours.get(id_) == model.get(id_)
        assert (id_ in ours) == (id_ in model)
        assert len(ours) == len(model)
    assert sorted(ours) == sorted(model)
    assert sorted(ours.items()) == sorted(model.items())
    assert sorted(ours.values()) == sorted(model.values())
    assert bool(ours) == bool(model)


def test_it_begins_with_what_it_is_given() -> None:
    ours = ById((number, str(number)) for number in range(20_000))
    assert (len(ours), ours[19_999], ours.get(20_000)) == (20_000, "19999", None)


@pytest.mark.parametrize("look", [lambda ours: ours[3], lambda ours: ours[9_000]])
def test_what_is_not_there_is_an_error_where_it_is_asked_for(look: Callable[[Any], Any]) -> None:
    with pytest.raises(KeyError):
        look(ById([(1, "one")]))
