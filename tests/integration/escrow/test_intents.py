"""Transactions survive kills, dead nodes and other people's transactions, and count once."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from portal.audit.models import OutboxCursor
from portal.core.clock import now_ms
from portal.core.errors import Conflict, Unavailable
from portal.escrow import contract, jobs
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.intents import attempts_of, queue_intent, retry_intent
from portal.escrow.chain.runner import IntentRunner
from portal.escrow.contract import event_topic
from portal.escrow.demo import DEV_DEPLOYER
from portal.escrow.models import ChainAttempt, ChainIntent, EscrowRecord
from portal.escrow.service import report_outcomes, run_intents
from portal.escrow.signers.chosen import relayer
from tests.integration.escrow.world import FUNDED, World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]


def runner(world: World, client: ChainClient | None = None) -> IntentRunner:
    """A runner that asks the chain nothing but what it sends."""
    return IntentRunner(world.relayer(client))


def openings(world: World) -> int:
    """How often the contract opened anything."""
    logs = world.client.logs(
        world.deployment.escrow, [event_topic("Opened")], 0, world.client.block_number()
    )
    return len(logs)


def test_killed_before_the_engine_heard_it_hears_once(world: World) -> None:
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    run_intents(world.context, world.client)
    assert world.trade(trade_id).state == "locking"
    assert (
        report_outcomes(world.context, world.client) == 2
    )  # The demo coins' minting and the opening.
    assert report_outcomes(world.context, world.client) == 0
    assert world.trade(trade_id).state == "awaiting_payment"


def test_events_read_again_after_a_kill_change_nothing(world: World) -> None:
    trade_id = world.locked_trade()
    with world.database.transaction() as session:
        session.delete(session.get_one(OutboxCursor, ("escrow", "shard:main")))
    world.work()
    assert openings(world) == 1
    assert len(world.intents(trade_id)) == 1


def test_a_dead_node_leaves_everything_for_the_next_run(world: World) -> None:
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    dead = ChainClient(["http://127.0.0.1:1"])
    with pytest.raises(Unavailable):
        run_intents(world.context, dead)
    assert world.intents(trade_id)["open"].status == "new"
    world.work()
    assert world.trade(trade_id).state == "awaiting_payment"


def test_a_second_endpoint_answers_for_a_dead_first(world: World) -> None:
    both = ChainClient(["http://127.0.0.1:1", *world.settings.rpc_urls])
    assert both.block_number() == world.client.block_number()


def test_an_escrow_opened_by_somebody_else_counts_as_done(world: World) -> None:
    """The same call, relayed outside this portal's bookkeeping by the same key."""
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    intent = world.intents(trade_id)["open"]
    sender = relayer(world.settings).address
    sent = world.client.send_unlocked(sender, intent.to_address, intent.data)
    world.work()
    done = world.intents(trade_id)["open"]
    assert (done.status, done.tx_hash) == ("done", sent["hash"])
    assert openings(world) == 1
    assert world.trade(trade_id).state == "awaiting_payment"


def test_a_nonce_taken_by_another_transaction_is_signed_anew(world: World) -> None:
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    intent = world.intents(trade_id)["open"]
    runner(world).sign(intent.id)
    sender = relayer(world.settings).address
    world.client.send_unlocked(sender, DEV_DEPLOYER, "0x")
    world.work()
    assert world.intents(trade_id)["open"].status == "sent"
    world.finalize()
    world.work()
    world.work()
    assert world.intents(trade_id)["open"].status == "confirmed"
    assert [row.status for row in world.attempts(intent.id)] == ["mined", "lost"]
    assert openings(world) == 1


def test_a_closing_that_gave_other_shares_raises_an_alarm_and_is_booked(world: World) -> None:
    """Bob cancels on chain by himself while the ledger releases to him."""
    trade_id = world.paid_trade()
    world.send_as(world.bob, contract.cancel_call(world.record(trade_id).terms, ""))
    world.sign(trade_id, world.alice, "seller", "release")
    world.act("release", trade_id, world.alice)
    world.work()
    intent = world.intents(trade_id)["settle"]
    assert (intent.status, intent.alarm) == ("failed", True)
    assert "0 units for the buyer" in str(intent.error)
    trade = world.trade(trade_id)
    assert (trade.state, trade.to_buyer, trade.settled) == ("refunded", 0, True)
    assert world.coins(world.vault(world.alice)) == FUNDED
    assert world.differences() == []


def test_an_expired_trade_that_the_buyer_marked_on_chain_is_disputed(world: World) -> None:
    """Nobody but a dispute could ever move these coins: expiry is refused once it is paid."""
    trade_id = world.locked_trade()
    world.send_as(world.bob, contract.mark_paid_call(world.record(trade_id).terms, ""))
    world.warp(1801)
    world.engine.submit({"kind": "expire", "trade_id": trade_id})
    world.warp(120)
    world.work()
    assert world.trade(trade_id).state == "disputed"
    assert world.trade(trade_id).to_buyer is None
    world.engine.submit({"kind": "resolve", "trade_id": trade_id, "actor": 99, "outcome": "seller"})
    world.sign(trade_id, world.alice, "seller", "claim")
    world.work()
    assert world.trade(trade_id).settled
    assert world.coins(world.vault(world.alice)) == FUNDED
    assert world.differences() == []


def test_the_buyers_clock_never_outlasts_the_contracts(world: World) -> None:
    """The opening was mined, then the power was off for most of the payment window."""
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    run_intents(world.context, world.client)
    world.warp(1700)
    world.work()
    deadline = world.trade(trade_id).payment_deadline_ms
    pay_by = int(world.record(trade_id).terms["payBy"])
    assert deadline is not None
    assert deadline <= (pay_by - world.settings.escrow_grace_seconds // 2) * 1000


def test_confirmations_are_waited_for(world: World) -> None:
    settings = world.settings.model_copy(update={"chain_confirmations": 3})
    context = replace(world.context, settings=settings)
    trade_id = world.match()
    jobs.run_escrow_events(context)
    jobs.track_intents(context)
    assert world.intents(trade_id)["open"].status == "sent"
    world.rpc("anvil_mine", "0x2")
    jobs.track_intents(context)
    assert world.intents(trade_id)["open"].status == "confirmed"


def test_an_opening_that_comes_too_late_is_not_made(world: World) -> None:
    """Half the grace is gone: the buyer's time to pay would outlast the contract's."""
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    with world.database.transaction() as session:
        record = session.get_one(EscrowRecord, trade_id)
        record.terms = {**record.terms, "payBy": str(now_ms() // 1000 + 1800 + 20)}
    world.work()
    assert openings(world) == 0
    assert world.trade(trade_id).state == "cancelled"


@pytest.mark.parametrize("problem", [Unavailable("Not taken."), ValueError("nonsense")])
def test_a_transaction_that_nodes_refuse_does_not_block_the_others(
    world: World, problem: Exception
) -> None:
    class Picky(ChainClient):
        def broadcast(self, raw: str) -> None:
            if raw == refused:
                raise problem
            super().broadcast(raw)

    with world.database.transaction() as session:
        for number in range(2):
            queue_intent(session, key=f"k{number}", kind="mint", to=DEV_DEPLOYER, data="0x")
        ids = list(session.scalars(select(ChainIntent.id).where(ChainIntent.key.like("k%"))))
    for intent_id in reversed(ids):
        runner(world).sign(intent_id)
    with world.database.reader() as session:
        (refused,) = [attempt.raw for attempt in attempts_of(session, ids[0])]
    runner(world, Picky(world.settings.rpc_urls)).run()
    with world.database.reader() as session:
        waiting, sent = (session.get_one(ChainIntent, intent_id) for intent_id in ids)
    assert waiting.status == "signed"
    assert str(problem) in str(waiting.error)
    assert sent.status == "confirmed"


def test_one_key_makes_one_intent(world: World) -> None:
    with world.database.transaction() as session:
        made = [
            queue_intent(session, key="k", kind="mint", to=DEV_DEPLOYER, data="0x")
            for _ in range(2)
        ]
    assert made == [True, False]


def test_several_intents_get_nonces_without_gap_or_clash(world: World) -> None:
    with world.database.transaction() as session:
        for number in range(5):
            queue_intent(session, key=f"k{number}", kind="mint", to=DEV_DEPLOYER, data="0x")
        ids = list(session.scalars(select(ChainIntent.id).where(ChainIntent.key.like("k%"))))
    for intent_id in ids:
        runner(world).sign(intent_id)
    with world.database.reader() as session:
        found = select(ChainAttempt.nonce).where(ChainAttempt.intent_id.in_(ids))
        nonces = sorted(session.scalars(found))
    assert nonces == list(range(nonces[0], nonces[0] + 5))
    world.track()
    with world.database.reader() as session:
        states = set(session.scalars(select(ChainIntent.status)))
    assert states == {"confirmed"}


def test_an_opening_tried_again_after_its_trade_ended_locks_nothing(world: World) -> None:
    """Locked without a trade, only the buyer could ever let the coins go."""
    trade_id = world.match()
    world.burn(world.alice, FUNDED)
    world.work()
    assert world.trade(trade_id).state == "cancelled"
    world.fund(world.alice, FUNDED)
    with world.database.transaction() as session:
        retry_intent(session, world.intents(trade_id)["open"].id, "staff:1")
    world.work()
    assert openings(world) == 0
    assert world.intents(trade_id)["open"].status == "failed"


def test_only_a_failed_intent_is_tried_again(world: World) -> None:
    trade_id = world.match()
    world.burn(world.alice, FUNDED)
    jobs.run_escrow_events(world.context)
    run_intents(world.context, world.client)
    failed = world.intents(trade_id)["open"]
    with world.database.transaction() as session:
        again = retry_intent(session, failed.id, "staff:1")
        assert (again.status, again.alarm) == ("new", False)
        with pytest.raises(Conflict):
            retry_intent(session, failed.id, "staff:1")
