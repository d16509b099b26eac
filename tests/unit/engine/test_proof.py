"""What accounts hold is what open orders and trades claim, and nothing else is let through."""

from collections.abc import Callable

import pytest

from portal.engine.proof import Proof, Unbalanced
from portal.engine.state import Changes
from portal.ledger.rules import AccountKey
from tests.factories.engine import ALICE, BOB, USDT, define_market, deposit, place_order
from tests.unit.engine.shard import Shard

HELD = AccountKey(ALICE, "USDT", "held")
ESCROW = AccountKey(ALICE, "USDT", "escrow")


@pytest.fixture
def shard() -> Shard:
    shard = Shard()
    shard.do(define_market())
    shard.do(deposit(ALICE, 1_000 * USDT))
    return shard


@pytest.fixture
def proof(shard: Shard) -> Proof:
    proof = Proof({})
    proof.check(shard.state.take_changes())
    return proof


def sell(shard: Shard) -> int:
    return int(shard.do(place_order())["order_id"])


def trade(shard: Shard) -> int:
    sell(shard)
    return int(shard.do(place_order(owner=BOB, side="buy", quantity=40 * USDT))["trades"][0])


def lock(shard: Shard) -> int:
    number = trade(shard)
    fees = {"maker_fee": 0, "taker_fee": 0}
    shard.do({"kind": "clear_trade", "trade_id": number, "decision": "allow", **fees})
    shard.do({"kind": "escrow_locked", "trade_id": number, "reference": "here"})
    return number


def settle(shard: Shard) -> None:
    number = lock(shard)
    shard.do({"kind": "mark_paid", "trade_id": number, "actor": BOB})
    shard.do({"kind": "release", "trade_id": number, "actor": ALICE})
    shard.do({"kind": "settled", "trade_id": number, "reference": "there"})


def cancel(shard: Shard) -> None:
    shard.do({"kind": "cancel_order", "order_id": sell(shard), "owner": ALICE})


LIVES = pytest.mark.parametrize("live", [sell, trade, lock, settle, cancel])


@LIVES
def test_what_the_rules_do_is_balanced(
    shard: Shard, proof: Proof, live: Callable[[Shard], object]
) -> None:
    live(shard)
    proof.check(shard.state.take_changes())


@LIVES
def test_a_proof_begun_later_counts_the_same(shard: Shard, live: Callable[[Shard], object]) -> None:
    live(shard)
    state = shard.state
    late = Proof({"USDT-EUR": ("USDT", "EUR")}, state.orders.values(), state.trades.values())
    late.check(Changes(accounts=state.accounts))
    live(shard)
    late.check(state.take_changes())


@LIVES
@pytest.mark.parametrize("key", [HELD, ESCROW])
def test_a_unit_that_nothing_claims_is_refused(
    shard: Shard, proof: Proof, live: Callable[[Shard], object], key: AccountKey
) -> None:
    lock(shard)
    live(shard)
    shard.state.accounts[key].balance += 1
    with pytest.raises(Unbalanced, match="are claimed of it"):
        proof.check(shard.state.take_changes())


def test_a_claim_that_nothing_backs_is_refused(shard: Shard, proof: Proof) -> None:
    order = shard.state.orders[sell(shard)]
    order.held += 1
    with pytest.raises(Unbalanced):
        proof.check(shard.state.take_changes())
