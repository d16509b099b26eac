"""What a trade owes the chain, for every state and every set of signatures."""

import itertools

import pytest

from portal.escrow.rules import (
    Act,
    Signed,
    Status,
    already_done,
    authority_fee_bps,
    needed_acts,
    salt,
    settle_signers,
)
from portal.trades.rules import State

FULL = 100
NOTHING_TO_DO = [
    State.MATCHED,
    State.HELD,
    State.ESCROW_LOCKED,
    State.AWAITING_PAYMENT,
    State.COMPLETED,
    State.REFUNDED,
]
RESOLVED = {State.RESOLVED_BUYER: FULL, State.RESOLVED_SELLER: 0, State.RESOLVED_SPLIT: 40}
EVERY_SIGNED = [
    Signed(*values)
    for values in itertools.product(
        (False, True), (False, True), (None, 0, 40, FULL), (None, 0, 40, FULL)
    )
]


@pytest.mark.parametrize("state", NOTHING_TO_DO)
@pytest.mark.parametrize("signed", [Signed(), Signed(True, True, FULL, FULL)])
def test_states_that_owe_the_chain_nothing(state: State, signed: Signed) -> None:
    assert needed_acts(state, FULL, signed) == []


def test_a_locking_trade_is_opened() -> None:
    assert needed_acts(State.LOCKING, None, Signed()) == [Act.OPEN]


@pytest.mark.parametrize("state", [State.PAID, State.VERIFIED, State.DISPUTED])
def test_paid_is_relayed_when_it_is_signed(state: State) -> None:
    assert needed_acts(state, None, Signed(mark_paid=True)) == [Act.MARK_PAID]
    assert needed_acts(state, None, Signed()) == []


def test_a_cancelled_trade_is_cancelled_by_signature_or_left_to_expire() -> None:
    assert needed_acts(State.CANCELLED, 0, Signed(cancel=True)) == [Act.CANCEL]
    assert needed_acts(State.CANCELLED, 0, Signed()) == [Act.EXPIRE]
    assert needed_acts(State.EXPIRED, 0, Signed()) == [Act.EXPIRE]


def test_a_release_needs_the_sellers_own_signature() -> None:
    release = needed_acts
    assert release(State.RELEASED, FULL, Signed(seller_settles=FULL)) == [Act.SETTLE]
    assert release(State.RELEASED, FULL, Signed(buyer_settles=FULL)) == []
    assert release(State.RELEASED, FULL, Signed(seller_settles=40)) == []


@pytest.mark.parametrize("state", RESOLVED)
def test_the_arbiter_never_signs_without_a_party(state: State) -> None:
    share = RESOLVED[state]
    for signed in EVERY_SIGNED:
        willing = {"seller": signed.seller_settles, "buyer": signed.buyer_settles}
        expected = {party for party, wish in willing.items() if wish == share}
        if len(expected) == 1:
            expected.add("arbiter")
        assert settle_signers(state, share, signed) == expected
        assert len(expected) in (0, 2)


@pytest.mark.parametrize("state", [state for state in State if state not in RESOLVED])
def test_the_arbiter_never_signs_without_a_decision_or_release(state: State) -> None:
    for signed in EVERY_SIGNED:
        signers = settle_signers(state, FULL, signed)
        if "arbiter" in signers:
            assert state is State.RELEASED
            assert "seller" in signers


def test_the_buyers_cancellation_executes_a_decision_for_the_seller() -> None:
    assert needed_acts(State.RESOLVED_SELLER, 0, Signed(cancel=True)) == [Act.CANCEL]


@pytest.mark.parametrize(
    ("act", "done"),
    [
        (Act.OPEN, {Status.OPEN, Status.PAID, Status.CLOSED}),
        (Act.MARK_PAID, {Status.PAID, Status.CLOSED}),
        (Act.SETTLE, {Status.CLOSED}),
        (Act.CANCEL, {Status.CLOSED}),
        (Act.EXPIRE, {Status.CLOSED}),
    ],
)
def test_what_counts_as_done(act: Act, done: set[Status]) -> None:
    assert {status for status in Status if already_done(act, status)} == done


def test_no_two_trades_share_a_salt() -> None:
    assert salt(1) != salt(2)
    assert len(salt(2**63 - 1)) == 66


def test_the_fee_limit_never_passes_the_contracts_cap() -> None:
    assert authority_fee_bps(100, 100) == 201
    assert authority_fee_bps(400, 400) == 500
