"""The chain takes blocks back: what was in them is undone, sent again, and counted once."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from eth_utils.conversions import to_hex
from sqlalchemy import select

from portal.audit.models import AuditEvent
from portal.escrow import jobs
from portal.escrow.chain import journal as journal_module
from portal.escrow.chain.blocks import ChainBlock, ChainLog, ChainMovement
from portal.escrow.chain.client import ChainClient, encode_call
from portal.escrow.chain.deposits import _ONE_AT_A_TIME as ONE_AT_A_TIME
from portal.escrow.chain.deposits import scan_vaults
from portal.escrow.chain.endpoint import Block
from portal.escrow.chain.journal import FinalityBroken, finalized_height
from portal.escrow.demo import _create, mint_demo_coins
from portal.escrow.models import ChainAttempt, ChainIntent
from portal.escrow.payouts.models import PayoutStop
from portal.escrow.payouts.stops import lift_stop
from portal.escrow.service import report_outcomes, run_intents, sweep_trades
from portal.escrow.signers.chosen import relayer
from portal.orders.models import Order
from tests.factories import engine as commands
from tests.factories.engine import USDT
from tests.integration.escrow.test_deposits import available
from tests.integration.escrow.test_intents import openings
from tests.integration.escrow.world import ESCROWED, FEE, FUNDED, World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]

FINAL_AFTER = 64  # Blocks after which anvil calls one finalized.


def reorganise(world: World, depth: int) -> None:
    """The newest blocks are replaced by as many empty ones."""
    world.rpc("anvil_reorg", depth, [])


def mine(world: World, blocks: int) -> None:
    """Empty blocks on top."""
    world.rpc("anvil_mine", hex(blocks))


def wait_for(world: World, **settings: object) -> None:
    """From now on other things count: more confirmations, or finality."""
    world.settings = world.settings.model_copy(update=settings)
    world.context = replace(world.context, settings=world.settings)


def events(world: World, kind: str) -> list[AuditEvent]:
    """Audit events of a kind."""
    with world.database.reader() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.kind == kind)))


def movements(world: World) -> list[tuple[str, int, str]]:
    """Kind, units and state of what moved, oldest first."""
    with world.database.reader() as session:
        rows = session.scalars(select(ChainMovement).order_by(ChainMovement.id))
        return [(row.kind, row.units, row.state) for row in rows]


def stops(world: World) -> list[PayoutStop]:
    """Payout stops that are on."""
    with world.database.reader() as session:
        return list(session.scalars(select(PayoutStop).where(PayoutStop.lifted_at.is_(None))))


def rounds(world: World, count: int = 3) -> None:
    """The scheduler's jobs, without waiting for a transaction to count."""
    for _ in range(count):
        jobs.run_escrow_events(world.context)
        jobs.track_intents(world.context)
        jobs.scan_deposits(world.context)


# ── a trade's opening and payout ─────────────────────────────────────────────────────────────


def test_an_opening_that_is_taken_back_before_it_counts_is_sent_again(world: World) -> None:
    wait_for(world, chain_confirmations=4)
    trade_id = world.match()
    rounds(world)
    assert openings(world) == 1
    first = world.intents(trade_id)["open"].tx_hash
    mine(world, 1)
    reorganise(world, 2)
    assert openings(world) == 0
    rounds(world)
    assert world.trade(trade_id).state == "locking"
    assert openings(world) == 1
    mine(world, 3)
    rounds(world)
    trade = world.trade(trade_id)
    assert (trade.state, trade.lock_reference) == ("awaiting_payment", first)
    assert world.coins(world.deployment.escrow) == ESCROWED
    assert world.differences() == []


def test_a_payout_that_is_taken_back_before_it_counts_is_sent_again(world: World) -> None:
    trade_id = released_trade(world)
    wait_for(world, chain_confirmations=4)
    rounds(world)
    assert world.coins(world.vault(world.bob)) == ESCROWED - FEE
    mine(world, 2)
    reorganise(world, 3)
    assert world.coins(world.vault(world.bob)) == 0
    rounds(world)
    assert world.trade(trade_id).state == "released"
    mine(world, 3)
    rounds(world)
    assert world.trade(trade_id).state == "completed"
    assert world.coins(world.vault(world.bob)) == ESCROWED - FEE
    assert world.differences() == []


def released_trade(world: World) -> int:
    """A paid trade that Alice has let go, but nothing of it is on chain yet."""
    trade_id = world.paid_trade()
    world.sign(trade_id, world.alice, "seller", "release")
    world.act("release", trade_id, world.alice)
    return trade_id


def test_an_opening_taken_back_after_the_engine_was_told_comes_back_with_an_alarm(
    world: World,
) -> None:
    """Deeper than the confirmations: the same bytes go out again, the engine counts it once."""
    trade_id = world.locked_trade()
    opening = world.intents(trade_id)["open"]
    mine(world, 2)
    jobs.scan_deposits(world.context)
    reorganise(world, 3)
    assert openings(world) == 0
    jobs.scan_deposits(world.context)
    doubted = world.intents(trade_id)["open"]
    assert (doubted.alarm, doubted.reported_at) == (True, None)
    world.work()
    world.work()
    again = world.intents(trade_id)["open"]
    assert (again.status, again.tx_hash, again.alarm) == ("confirmed", opening.tx_hash, False)
    assert len(events(world, "escrow.taken_back")) == 1
    assert openings(world) == 1
    assert world.trade(trade_id).state == "awaiting_payment"
    assert world.coins(world.deployment.escrow) == ESCROWED
    assert world.differences() == []


def test_a_payout_taken_back_after_the_engine_was_told_is_made_again(world: World) -> None:
    trade_id = released_trade(world)
    world.work()
    assert world.trade(trade_id).state == "completed"
    mine(world, 2)
    jobs.scan_deposits(world.context)
    reorganise(world, 3)
    assert world.chain_status(trade_id) == "paid"
    rounds(world)
    assert world.chain_status(trade_id) == "closed"
    assert world.trade(trade_id).state == "completed"
    assert world.coins(world.vault(world.bob)) == ESCROWED - FEE
    assert available(world, world.bob) == ESCROWED - FEE
    assert world.differences() == []


def test_the_engine_hears_of_an_opening_by_somebody_else_only_when_it_counts(
    world: World,
) -> None:
    wait_for(world, chain_confirmations=3)
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    intent = world.intents(trade_id)["open"]
    sender = relayer(world.settings).address
    world.client.send_unlocked(sender, intent.to_address, intent.data)
    rounds(world)
    assert world.intents(trade_id)["open"].status == "done"
    assert world.trade(trade_id).state == "locking"
    reorganise(world, 1)
    rounds(world)
    assert [row.status for row in world.attempts(intent.id)] == ["sent"]
    assert world.trade(trade_id).state == "locking"
    mine(world, 2)
    rounds(world)
    assert world.trade(trade_id).state == "awaiting_payment"
    assert openings(world) == 1


def test_nothing_is_told_before_finality_where_that_is_asked_for(world: World) -> None:
    wait_for(world, chain_finality="finalized")
    trade_id = world.match()
    rounds(world)
    mine(world, FINAL_AFTER - 1)
    rounds(world)
    assert world.trade(trade_id).state == "locking"
    mine(world, 1)
    rounds(world)
    assert world.trade(trade_id).state == "awaiting_payment"


def test_killed_between_the_reorganisation_and_the_report_nothing_is_told_wrongly(
    world: World,
) -> None:
    """The journal has not seen the reorganisation yet when the outcome is about to be told."""
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    run_intents(world.context, world.client)
    assert world.intents(trade_id)["open"].status == "confirmed"
    reorganise(world, 1)
    report_outcomes(world.context, world.client)
    assert world.trade(trade_id).state == "locking"
    rounds(world)
    assert world.trade(trade_id).state == "awaiting_payment"
    assert openings(world) == 1


# ── deposits ─────────────────────────────────────────────────────────────────────────────────


def test_a_deposit_waits_for_its_confirmations(world: World) -> None:
    wait_for(world, chain_confirmations=3)
    world.fund(world.bob, 5 * USDT)
    mine(world, 1)
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 0
    mine(world, 1)
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 5 * USDT


def test_a_deposit_waits_for_finality_where_that_is_asked_for(world: World) -> None:
    wait_for(world, chain_finality="finalized")
    world.fund(world.bob, 5 * USDT)
    mine(world, FINAL_AFTER - 1)
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 0
    mine(world, 1)
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 5 * USDT
    assert movements(world)[-1] == ("deposit", 5 * USDT, "booked")
    mine(world, 1)
    jobs.scan_deposits(world.context)
    assert movements(world)[-1] == ("deposit", 5 * USDT, "final")


def test_a_deposit_that_the_chain_takes_back_before_it_counts_is_never_booked(
    world: World,
) -> None:
    wait_for(world, chain_confirmations=3)
    world.fund(world.bob, 5 * USDT)
    reorganise(world, 1)
    mine(world, 5)
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 0
    assert all(kind != "deposit" or units != 5 * USDT for kind, units, _ in movements(world))


def test_a_credited_deposit_that_is_taken_back_is_booked_back(world: World) -> None:
    world.fund(world.bob, 5 * USDT)
    assert available(world, world.bob) == 5 * USDT
    reorganise(world, 1)
    for _ in range(2):
        jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 0
    assert movements(world)[-1] == ("deposit", 5 * USDT, "reversed")
    (lost,) = events(world, "escrow.deposit_lost")
    assert (lost.subject, lost.data["units"]) == (f"user:{world.bob.id}", 5 * USDT)
    assert stops(world) == []
    assert world.differences() == []


def test_a_deposit_that_comes_back_after_it_was_booked_back_is_credited_again(
    world: World,
) -> None:
    world.fund(world.bob, 5 * USDT)
    raw = minting(world)
    reorganise(world, 1)
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 0
    world.client.broadcast(raw)
    for _ in range(2):
        jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 5 * USDT
    assert world.differences() == []


def minting(world: World) -> str:
    """The signed bytes of the last minting."""
    with world.database.reader() as session:
        query = select(ChainAttempt.raw).join(ChainIntent, ChainIntent.id == ChainAttempt.intent_id)
        query = query.where(ChainIntent.kind == "mint").order_by(ChainAttempt.id.desc())
        return str(session.scalar(query.limit(1)))


def test_a_deposit_mined_again_in_another_block_is_not_credited_twice(world: World) -> None:
    """The usual reorganisation: the same transactions, in other places."""
    world.fund(world.bob, 5 * USDT)
    mine(world, 1)
    jobs.scan_deposits(world.context)
    world.rpc("anvil_reorg", 2, [[minting(world), 1]])
    for _ in range(3):
        jobs.scan_deposits(world.context)
        mine(world, 1)
    assert available(world, world.bob) == 5 * USDT
    assert movements(world)[-1] == ("deposit", 5 * USDT, "booked")
    assert stops(world) == []
    with world.database.reader() as session:
        there = session.scalars(select(ChainMovement).order_by(ChainMovement.id.desc())).first()
    assert there is not None
    assert there.block_hash == world.client.block(there.block_number).hash
    assert world.differences() == []


def test_a_deposit_that_is_sold_when_it_is_taken_back_stops_the_persons_payouts(
    world: World,
) -> None:
    """Alice has sold some of the coins: nothing is locked until they are there again."""
    raw = minting(world)
    jobs.track_intents(world.context)  # The minting is done: it is not sent again by itself.
    trade_id = world.match()
    reorganise(world, 1)
    jobs.scan_deposits(world.context)
    (stop,) = stops(world)
    assert (stop.owner_id, stop.asset) == (world.alice.id, "USDT")
    assert "took back a deposit" in stop.reason
    assert movements(world) == [("deposit", FUNDED, "lost")]
    for _ in range(2):
        rounds(world)
        sweep_trades(world.context)
    assert world.trade(trade_id).state == "locking"
    assert world.intents(trade_id) == {}
    world.client.broadcast(raw)
    jobs.scan_deposits(world.context)
    assert stops(world) == []
    assert movements(world) == [("deposit", FUNDED, "booked")]
    sweep_trades(world.context)
    rounds(world)
    assert world.trade(trade_id).state == "awaiting_payment"
    assert world.differences() == []


def test_an_offer_of_coins_that_were_taken_back_is_closed(world: World) -> None:
    world.fund(world.bob, 100 * USDT)
    offer = world.engine.submit(commands.place_order(owner=world.bob.id, quantity=90 * USDT))
    reorganise(world, 1)
    jobs.scan_deposits(world.context)
    with world.database.reader() as session:
        assert session.get_one(Order, offer["order_id"]).status == "cancelled"
    assert available(world, world.bob) == 0
    assert stops(world) == []


def test_a_stop_that_a_person_lifts_lets_the_trade_go_on(world: World) -> None:
    with world.database.transaction() as session:
        session.add(PayoutStop(cause="x", owner_id=None, asset="USDT", reason="Because."))
    trade_id = world.match()
    rounds(world)
    assert world.intents(trade_id) == {}
    with world.database.transaction() as session:
        lift_stop(session, stops(world)[0].id, "user:1", "The coins are there.")
    sweep_trades(world.context)
    rounds(world)
    assert world.trade(trade_id).state == "awaiting_payment"
    assert [event.actor for event in events(world, "escrow.payouts_resumed")] == ["user:1"]


def test_coins_that_come_back_to_a_vault_are_booked_in_again(world: World) -> None:
    """A withdrawal was taken back: the coins are in the vault, so they are the ledger's again."""
    world.burn(world.alice, 20 * USDT)
    jobs.scan_deposits(world.context)
    assert available(world, world.alice) == FUNDED - 20 * USDT
    reorganise(world, 1)
    for _ in range(2):
        jobs.scan_deposits(world.context)
    assert available(world, world.alice) == FUNDED
    assert stops(world) == []
    assert world.differences() == []


def test_a_kill_before_the_engine_was_told_of_a_lost_deposit_books_nothing_back(
    world: World,
) -> None:
    """Noted, never told, and then taken back: the person keeps what was theirs before."""
    world.fund(world.bob, 3 * USDT)
    mint_demo_coins(
        world.settings, world.database, world.deployment, world.vault(world.bob), 5 * USDT
    )
    dead = replace(world.context, engine=Deaf())
    with pytest.raises(RuntimeError):
        scan_vaults(dead, world.client)
    assert movements(world)[-1] == ("deposit", 5 * USDT, "new")
    reorganise(world, 1)
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 3 * USDT
    assert movements(world)[-1] == ("deposit", 5 * USDT, "reversed")


class Deaf:
    """An engine whose process dies with the first command."""

    def submit(self, command: dict[str, object]) -> dict[str, object]:
        raise RuntimeError(f"killed at {command['kind']}")


# ── the journal ──────────────────────────────────────────────────────────────────────────────


def test_the_journal_is_the_chain_after_any_reorganisations(world: World) -> None:
    dice = random.Random(4)
    mine(world, 8)  # The contracts themselves stay.
    for _ in range(12):
        for _ in range(dice.randint(0, 3)):
            units = dice.randint(1, 9) * USDT
            mint_demo_coins(
                world.settings, world.database, world.deployment, world.vault(world.bob), units
            )
        mine(world, dice.randint(1, 3))
        if dice.random() < 0.7:
            jobs.scan_deposits(world.context)
        reorganise(world, dice.randint(1, 5))
        if dice.random() < 0.7:
            jobs.scan_deposits(world.context)
    for _ in range(2):
        jobs.scan_deposits(world.context)
    agree_with_chain(world)
    assert available(world, world.bob) == world.coins(world.vault(world.bob))
    assert stops(world) == []


def agree_with_chain(world: World) -> None:
    """Block by block and log by log."""
    with world.database.reader() as session:
        blocks = session.scalars(select(ChainBlock).order_by(ChainBlock.number)).all()
        logs = session.scalars(select(ChainLog)).all()
    assert blocks[-1].number == world.client.block_number()
    assert [b.number for b in blocks] == list(range(blocks[0].number, blocks[-1].number + 1))
    for block in blocks:
        assert block.hash == world.client.block(block.number).hash
    for before, after in pairwise(blocks):
        assert after.parent_hash == before.hash
    token = world.deployment.token("USDT")
    there = world.client.logs(token, [], world.deployment.block, blocks[-1].number)
    minted = {(to_hex(e["transactionHash"]), e["logIndex"], to_hex(e["blockHash"])) for e in there}
    kept = {(e.tx_hash, e.log_index, e.block_hash) for e in logs if e.address == token.lower()}
    assert kept == minted


def test_a_chain_that_was_set_back_is_read_anew(world: World) -> None:
    """The chain is shorter for a while, and then another one."""
    snapshot = world.rpc("evm_snapshot")
    world.fund(world.bob, 5 * USDT)
    world.rpc("evm_revert", snapshot)
    jobs.scan_deposits(world.context)
    mine(world, 2)
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 0
    agree_with_chain(world)


def test_only_one_process_scans_at_a_time(world: World) -> None:
    mint_demo_coins(
        world.settings, world.database, world.deployment, world.vault(world.bob), 5 * USDT
    )
    with world.database.transaction() as session:
        session.scalar(ONE_AT_A_TIME)
        assert scan_vaults(world.context, world.client) == 0
        assert available(world, world.bob) == 0
    assert scan_vaults(world.context, world.client) == 1


def test_a_reorganisation_seen_while_the_engine_is_told_is_not_forgotten(world: World) -> None:
    """It comes between the look at the chain and the note that the engine was told."""
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    run_intents(world.context, world.client)
    jobs.scan_deposits(world.context)

    class Interrupted:
        def submit(self, command: dict[str, object]) -> dict[str, object]:
            answer = world.engine.submit(command)
            reorganise(world, 1)
            jobs.scan_deposits(world.context)
            return answer

    report_outcomes(replace(world.context, engine=Interrupted()), world.client)
    assert world.trade(trade_id).state == "awaiting_payment"
    assert world.intents(trade_id)["open"].reported_at is None
    assert openings(world) == 0
    rounds(world)
    assert openings(world) == 1
    assert world.intents(trade_id)["open"].status == "confirmed"
    assert world.differences() == []


def test_what_was_final_and_is_taken_back_stops_everything(world: World) -> None:
    snapshot = world.rpc("evm_snapshot")
    mine(world, FINAL_AFTER + 10)
    jobs.scan_deposits(world.context)
    with world.database.reader() as session:
        final = finalized_height(session)
    assert final == world.client.block_number() - FINAL_AFTER
    world.rpc("evm_revert", snapshot)
    world.rpc("evm_increaseTime", 1000)
    mint_demo_coins(
        world.settings, world.database, world.deployment, world.vault(world.bob), 5 * USDT
    )
    mine(world, FINAL_AFTER + 20)
    for _ in range(2):
        with pytest.raises(FinalityBroken, match=f"{final} was final"):
            jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 0
    with world.database.reader() as session:
        assert finalized_height(session) == final
    assert [(stop.owner_id, stop.asset) for stop in stops(world)] == [(None, "USDT")]
    assert len(events(world, "escrow.payouts_stopped")) == 1


def test_final_blocks_are_read_in_one_and_only_anchors_are_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "ANCHORS", 4)
    mint_demo_coins(
        world.settings, world.database, world.deployment, world.vault(world.bob), 5 * USDT
    )
    mine(world, FINAL_AFTER + 50)
    counting = Counting(world.settings.rpc_urls)
    scan_vaults(world.context, counting)
    assert available(world, world.bob) == 5 * USDT
    assert counting.blocks < FINAL_AFTER + 10
    mine(world, 30)
    jobs.scan_deposits(world.context)
    with world.database.reader() as session:
        numbers = session.scalars(select(ChainBlock.number).order_by(ChainBlock.number)).all()
        final = finalized_height(session)
    assert numbers[0] >= final - 4
    assert numbers[-1] == world.client.block_number()


class Counting(ChainClient):
    """Counts how many blocks are asked for."""

    blocks = 0

    def block(self, number: int) -> Block:
        self.blocks += 1
        return super().block(number)


def test_a_long_absence_is_caught_up_with_over_several_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "BLOCKS_PER_RUN", 7)
    mine(world, 10)
    mint_demo_coins(
        world.settings, world.database, world.deployment, world.vault(world.bob), 5 * USDT
    )
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 0
    jobs.scan_deposits(world.context)
    assert available(world, world.bob) == 5 * USDT
    agree_with_chain(world)


# ── unknown tokens ───────────────────────────────────────────────────────────────────────────


def test_coins_of_an_unknown_token_are_nobodys_deposit(world: World) -> None:
    """The same code at another address, as a forger would deploy it."""
    forged, _ = _create(world.client, "TestUSDT", [])
    mint = encode_call("TestUSDT", "mint", [world.vault(world.bob), 900 * USDT])
    world.send_as(world.bob, mint, to=forged)
    assert world.client.balance_of(forged, world.vault(world.bob)) == 900 * USDT
    world.fund(world.alice, 1 * USDT)
    assert available(world, world.bob) == 0
    assert available(world, world.alice) == FUNDED + 1 * USDT
    with world.database.reader() as session:
        addresses = set(session.scalars(select(ChainLog.address)))
    assert forged.lower() not in addresses
    assert world.differences() == []
