"""Fees follow the market, replacements what every node accepts, and both the cap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.escrow.chain.fees import (
    GWEI,
    LEAST_TIP,
    FeeMarket,
    Fees,
    Urgency,
    first_fees,
    raised_fees,
    read_market,
)

CAP = 500 * GWEI
MARKET = FeeMarket(20 * GWEI, {Urgency.NORMAL: GWEI, Urgency.URGENT: 3 * GWEI})


def test_the_market_is_the_next_base_fee_and_the_usual_tips_of_blocks_that_hold_something() -> None:
    history = {
        "baseFeePerGas": [10, 11, 12, 13],
        "reward": [[2 * GWEI, 5 * GWEI], [0, 0], [4 * GWEI, 9 * GWEI]],
    }
    market = read_market(history)
    assert market == FeeMarket(13, {Urgency.NORMAL: 3 * GWEI, Urgency.URGENT: 7 * GWEI})


@pytest.mark.parametrize("rewards", [None, [], [[0, 0], [0, 0]]])
def test_a_chain_without_transactions_still_gets_a_tip(rewards: list[list[int]] | None) -> None:
    market = read_market({"baseFeePerGas": [7, 7], "reward": rewards})
    assert first_fees(market, Urgency.NORMAL, CAP) == Fees(14 + LEAST_TIP, LEAST_TIP)


def test_urgent_ones_bear_more_blocks_and_tip_like_the_fastest_tenth() -> None:
    assert first_fees(MARKET, Urgency.NORMAL, CAP) == Fees(41 * GWEI, GWEI)
    assert first_fees(MARKET, Urgency.URGENT, CAP) == Fees(63 * GWEI, 3 * GWEI)


def test_the_cap_bounds_first_fees() -> None:
    assert first_fees(MARKET, Urgency.NORMAL, 30 * GWEI) == Fees(30 * GWEI, GWEI)
    assert first_fees(MARKET, Urgency.URGENT, 2 * GWEI) == Fees(2 * GWEI, 2 * GWEI)


def test_a_replacement_follows_a_market_that_went_up() -> None:
    old = Fees(10 * GWEI, GWEI)
    assert raised_fees(old, MARKET, Urgency.NORMAL, CAP) == Fees(41 * GWEI, 1_125_000_000)


def test_a_replacement_is_raised_although_the_market_asks_less() -> None:
    old = Fees(100 * GWEI, 10 * GWEI)
    assert raised_fees(old, MARKET, Urgency.NORMAL, CAP) == Fees(112_500_000_000, 11_250_000_000)


def test_a_cap_that_leaves_no_room_for_a_raise_means_waiting() -> None:
    assert raised_fees(Fees(90 * GWEI, GWEI), MARKET, Urgency.NORMAL, 101 * GWEI) is None


@given(
    max_fee=st.integers(1, 10**13),
    tip=st.integers(0, 10**13),
    base=st.integers(0, 10**13),
    usual=st.integers(0, 10**12),
    cap=st.integers(1, 2 * 10**13),
    urgency=st.sampled_from(Urgency),
)
def test_both_fees_go_up_by_an_eighth_or_nothing_is_replaced(
    max_fee: int, tip: int, base: int, usual: int, cap: int, urgency: Urgency
) -> None:
    old = Fees(max_fee, min(tip, max_fee))
    market = FeeMarket(base, dict.fromkeys(Urgency, usual))
    new = raised_fees(old, market, urgency, cap)
    if new is None:
        assert max_fee * 9 > cap * 8 - 8
        return
    assert new.max_fee * 8 >= old.max_fee * 9
    assert new.priority_fee * 8 >= old.priority_fee * 9
    assert new.priority_fee > old.priority_fee
    assert old.max_fee < new.max_fee <= cap
    assert new.priority_fee <= new.max_fee
