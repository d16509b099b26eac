"""Whole trades on a real chain: every way a trade can end."""

import pytest
from sqlalchemy import delete

from portal.core.errors import Conflict, InvalidInput
from portal.escrow import service, typed_data
from portal.escrow.deployment import fee_address
from portal.escrow.models import ChainDeployment
from portal.trades.models import Trade
from tests.integration.escrow.world import ESCROWED, FEE, FUNDED, World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]


def test_a_deposit_is_booked_for_the_vaults_owner(world: World) -> None:
    assert world.coins(world.vault(world.alice)) == FUNDED
    assert world.differences() == []


def test_open_locks_exactly_the_escrowed_amount(world: World) -> None:
    trade_id = world.locked_trade()
    assert world.coins(world.deployment.escrow) == ESCROWED
    assert world.coins(world.vault(world.alice)) == FUNDED - ESCROWED
    assert world.trade(trade_id).lock_reference == world.intents(trade_id)["open"].tx_hash
    assert world.differences() == []


def test_release_pays_the_buyers_vault_and_the_fee(world: World) -> None:
    trade_id = world.paid_trade()
    assert world.chain_status(trade_id) == "paid"
    world.sign(trade_id, world.alice, "seller", "release")
    world.act("release", trade_id, world.alice)
    world.work()
    assert world.trade(trade_id).state == "completed"
    assert world.coins(world.vault(world.bob)) == ESCROWED - FEE
    assert world.coins(fee_address(world.settings)) == FEE
    assert world.coins(world.deployment.escrow) == 0
    assert world.record(trade_id).status == "closed"
    assert world.differences() == []


def test_the_buyer_cancels_and_the_seller_is_refunded(world: World) -> None:
    trade_id = world.locked_trade()
    world.sign(trade_id, world.bob, "buyer", "cancel")
    world.act("cancel_trade", trade_id, world.bob)
    world.work()
    assert world.trade(trade_id).state == "refunded"
    assert world.coins(world.vault(world.alice)) == FUNDED
    assert world.differences() == []


def test_an_unpaid_trade_returns_after_the_chains_own_deadline(world: World) -> None:
    trade_id = world.locked_trade()
    world.warp(1801)
    world.engine.submit({"kind": "expire", "trade_id": trade_id})
    world.work()
    assert world.trade(trade_id).state == "expired"
    assert world.chain_status(trade_id) == "open"
    world.warp(120)
    world.work()
    assert world.trade(trade_id).state == "refunded"
    assert world.coins(world.vault(world.alice)) == FUNDED
    assert world.differences() == []


def test_a_dispute_won_by_the_buyer_needs_no_further_signature(world: World) -> None:
    trade_id = world.paid_trade()
    dispute(world, trade_id, outcome="buyer")
    assert world.trade(trade_id).settled
    assert world.coins(world.vault(world.bob)) == ESCROWED - FEE
    assert world.differences() == []


def test_a_dispute_won_by_the_seller_waits_for_the_sellers_claim(world: World) -> None:
    trade_id = world.paid_trade()
    dispute(world, trade_id, outcome="seller")
    assert not world.trade(trade_id).settled
    world.sign(trade_id, world.alice, "seller", "claim")
    world.work()
    assert world.trade(trade_id).settled
    assert world.coins(world.vault(world.alice)) == FUNDED
    assert world.differences() == []


def test_a_split_pays_both_as_the_ledger_does(world: World) -> None:
    trade_id = world.paid_trade()
    dispute(world, trade_id, outcome="split", to_buyer=33_333_333)
    world.sign(trade_id, world.bob, "buyer", "claim")
    world.work()
    fee_part = FEE * 33_333_333 // ESCROWED
    assert world.coins(world.vault(world.bob)) == 33_333_333 - fee_part
    assert world.coins(world.vault(world.alice)) == FUNDED - 33_333_333
    assert world.trade(trade_id).settled
    assert world.differences() == []


def test_the_losing_party_has_nothing_to_claim(world: World) -> None:
    trade_id = world.paid_trade()
    dispute(world, trade_id, outcome="seller")
    with pytest.raises(Conflict, match="nothing to claim"):
        world.sign(trade_id, world.bob, "buyer", "claim")


def test_an_unsigned_order_ends_the_trade_and_frees_the_coins(world: World) -> None:
    trade_id = world.match(authority="0x00")
    world.work()
    trade = world.trade(trade_id)
    assert trade.state == "cancelled"
    assert "was not signed" in str(trade.reason)
    assert world.differences() == []


def test_a_coin_without_a_token_ends_its_trade_and_blocks_no_other(world: World) -> None:
    first = world.match()
    with world.database.transaction() as session:
        session.execute(delete(ChainDeployment).where(ChainDeployment.name == "token:USDT"))
    service.process_events(world.context)
    assert world.trade(first).state == "cancelled"
    assert "no token" in str(world.trade(first).reason)


def test_an_escrow_that_the_contract_refuses_ends_the_trade(world: World) -> None:
    """Coins that left the vault behind the ledger's back: the opening fails, with an alarm."""
    trade_id = world.match()
    world.burn(world.alice, FUNDED)
    world.work()
    intent = world.intents(trade_id)["open"]
    assert world.trade(trade_id).state == "cancelled"
    assert (intent.status, intent.alarm) == ("failed", True)
    assert "BalanceTooLow" in str(intent.error)


def test_a_wrong_or_missing_signature_keeps_nothing(world: World) -> None:
    trade_id = world.locked_trade()
    with world.database.transaction() as session:
        trade = session.get_one(Trade, trade_id)
        asked = service.signing_requests(session, trade, "buyer", "paid")
        by_alice = {item["kind"]: world.alice.sign(item["typed_data"]) for item in asked}
        with pytest.raises(InvalidInput) as caught:
            service.store_signatures(session, trade, "buyer", "paid", by_alice)
        assert caught.value.field == "signatures.mark_paid"
        with pytest.raises(InvalidInput) as caught:
            service.store_signatures(session, trade, "buyer", "paid", {})
        assert caught.value.field == "signatures.mark_paid"


def test_what_is_signed_names_the_trade_on_this_chain(world: World) -> None:
    trade_id = world.locked_trade()
    with world.database.reader() as session:
        trade = session.get_one(Trade, trade_id)
        paid, settle = service.signing_requests(session, trade, "buyer", "paid")
    assert paid["typed_data"]["message"] == {"terms": world.record(trade_id).terms}
    assert paid["typed_data"]["message"]["terms"]["amount"] == str(ESCROWED)
    assert settle["typed_data"]["message"]["toBuyer"] == str(ESCROWED)
    assert settle["typed_data"]["domain"]["chainId"] == world.client.chain_id
    assert typed_data.recover(paid["typed_data"], world.bob.sign(paid["typed_data"])) == (
        world.bob.account.address
    )


def dispute(world: World, trade_id: int, **decision: object) -> None:
    """The seller disputes and staff decides."""
    world.act("dispute", trade_id, world.alice, reason="not_received")
    staff = {"kind": "resolve", "trade_id": trade_id, "actor": 99, **decision}
    world.engine.submit(staff)
    world.work()
