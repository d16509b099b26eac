"""What is remembered of keys: none of two days is ever forgotten."""

import random

from hypothesis import given
from hypothesis import strategies as st

from portal.engine.used_keys import UsedKeys

KEYS = st.lists(st.text(min_size=1, max_size=200), max_size=30)


def knowing(day: int = 5) -> UsedKeys:
    used = UsedKeys()
    used.turn_to(day)
    used.complete = True
    return used


@given(KEYS, KEYS, KEYS)
def test_a_key_of_today_or_yesterday_is_never_forgotten(
    learnt: list[str], first: list[str], second: list[str]
) -> None:
    used = knowing()
    used.learn(4, learnt)
    for key in first:
        used.add(key)
    assert all(used.may_hold(key) for key in learnt + first)
    used.turn_to(6)
    for key in second:
        used.add(key)
    used.turn_to(3)  # The machine's clock was put back: the shard's day was not.
    assert all(used.may_hold(key) for key in first + second)


def test_a_key_is_forgotten_after_two_days() -> None:
    used = knowing()
    used.add("alice:1")
    used.turn_to(7)
    used.learn(5, ["alice:2"])
    assert not used.may_hold("alice:1")
    assert not used.may_hold("alice:2")


def test_keys_that_others_used_count_for_the_day_they_were_used_on() -> None:
    used = knowing()
    used.learn(5, ["today"])
    used.learn(4, ["yesterday"])
    used.turn_to(6)
    assert used.may_hold("today")
    assert not used.may_hold("yesterday")


def test_any_key_may_be_used_until_those_of_others_are_learnt() -> None:
    used = UsedKeys()
    used.turn_to(5)
    assert used.may_hold("new")
    used.complete = True
    assert not used.may_hold("new")


def test_new_keys_are_seldom_taken_for_used_ones() -> None:
    used, rng = knowing(), random.Random(1)
    for _ in range(200_000):
        used.add(f"{rng.getrandbits(64)}")
    wrong = sum(used.may_hold(f"new:{number}") for number in range(20_000))
    assert wrong < 20
