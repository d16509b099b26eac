"""Nonces, fees, replacements, reorgs and endpoints that lag or lie, on a real chain."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from portal.audit.models import AuditEvent
from portal.core.db import Database
from portal.core.errors import Conflict, Unavailable
from portal.escrow import jobs
from portal.escrow.chain import attempts
from portal.escrow.chain.agreed import knows, nonce_of
from portal.escrow.chain.attempts import reserve
from portal.escrow.chain.client import ChainClient
from portal.escrow.chain.fees import GWEI, Fees
from portal.escrow.chain.intents import attempts_of, queue_intent, retry_intent
from portal.escrow.chain.pool import Pool
from portal.escrow.chain.runner import IntentRunner
from portal.escrow.chain.spending import OVER_BUDGET, gas_by_day, gas_of_trade
from portal.escrow.contract import event_topic
from portal.escrow.demo import DEV_DEPLOYER
from portal.escrow.models import ChainAttempt, ChainIntent
from portal.escrow.service import run_intents
from tests.integration.escrow import conftest, endpoints
from tests.integration.escrow.test_killed_relayer import queue_mint, status
from tests.integration.escrow.world import DEAD, World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]

AT_ONCE = 0.001


@pytest.fixture
def slow(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose chain mines only when it is told to."""
    world.track()
    monkeypatch.setattr(conftest, "MINED_SECONDS", 0)
    world.rpc("evm_setAutomine", False)
    return world


def intent_of(world: World, intent_id: int) -> ChainIntent:
    with world.database.reader() as session:
        return session.get_one(ChainIntent, intent_id)


def spike(world: World, gwei: int) -> None:
    """The next block's base fee; it takes none of the waiting transactions that offer less."""
    world.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * GWEI))
    world.rpc("evm_mine")


def run(world: World, client: ChainClient | None = None, **settings: object) -> None:
    """One run, with other settings or endpoints."""
    IntentRunner(world.relayer(client, **settings)).run()


# ── fees ─────────────────────────────────────────────────────────────────────────────────────


def test_a_spike_of_fees_is_followed_by_a_replacement_that_is_mined(slow: World) -> None:
    intent_id = queue_mint(slow)
    run(slow)
    spike(slow, 50)
    assert status(slow, intent_id) == "sent"
    run(slow, chain_replace_seconds=AT_ONCE)
    second, first = slow.attempts(intent_id)
    assert (second.nonce, second.number, second.gas) == (first.nonce, 2, first.gas)
    assert second.max_fee * 8 >= first.max_fee * 9
    assert second.priority_fee * 8 >= first.priority_fee * 9
    assert second.max_fee > 43 * GWEI
    slow.rpc("evm_mine")
    run(slow)
    assert [attempt.status for attempt in slow.attempts(intent_id)] == ["mined", "replaced"]
    assert intent_of(slow, intent_id).tx_hash == second.tx_hash
    assert slow.coins(DEAD) == 1


def test_what_waits_within_its_time_is_not_replaced(slow: World) -> None:
    intent_id = queue_mint(slow)
    run(slow)
    spike(slow, 50)
    run(slow)
    assert len(slow.attempts(intent_id)) == 1


def test_one_that_waits_only_for_others_before_it_is_not_replaced(slow: World) -> None:
    first, second = queue_mint(slow, "one"), queue_mint(slow, "two")
    run(slow)
    run(slow, chain_replace_seconds=AT_ONCE)
    assert [len(slow.attempts(intent_id)) for intent_id in (first, second)] == [2, 1]


def test_urgent_ones_offer_more_and_are_replaced_in_half_the_time(slow: World) -> None:
    usual, urgent = queue_mint(slow, "usual"), queue_mint(slow, "urgent")
    with slow.database.transaction() as session:
        intent = session.get_one(ChainIntent, urgent)
        intent.urgent_at = intent.created_at
    run(slow)
    (calm,), (hurried,) = slow.attempts(usual), slow.attempts(urgent)
    assert hurried.max_fee > calm.max_fee
    spike(slow, 50)
    with slow.database.transaction() as session:
        for attempt in session.scalars(select(ChainAttempt)):
            attempt.sent_at = attempt.created_at.replace(year=attempt.created_at.year - 1)
    year_and_half = 1.5 * 365 * 86_400
    run(slow, chain_replace_seconds=year_and_half)
    assert [len(slow.attempts(intent_id)) for intent_id in (usual, urgent)] == [1, 2]


def test_at_the_cap_a_transaction_waits_with_an_alarm_and_is_mined_when_fees_fall(
    slow: World,
) -> None:
    intent_id = queue_mint(slow)
    settings = {"chain_replace_seconds": AT_ONCE, "chain_max_fee_gwei": 4}
    settings["chain_check_seconds"] = AT_ONCE
    run(slow, **settings)
    spike(slow, 100)
    for _ in range(12):
        run(slow, **settings)
    attempts = slow.attempts(intent_id)
    assert len(attempts) > 1
    assert max(attempt.max_fee for attempt in attempts) == 4 * GWEI
    stuck = intent_of(slow, intent_id)
    assert (stuck.status, stuck.alarm) == ("sent", True)
    assert "CHAIN_MAX_FEE_GWEI" in str(stuck.error)
    spike(slow, 1)
    run(slow, **settings)  # The node had dropped it.
    slow.rpc("evm_mine")
    run(slow, **settings)
    mined = intent_of(slow, intent_id)
    assert (mined.status, mined.alarm, mined.error) == ("confirmed", False, None)
    assert slow.coins(DEAD) == 1


def test_a_relayer_without_gas_money_does_not_bid_against_itself(world: World) -> None:
    world.track()
    sender = str(world.relayer().sender.address)
    money = world.rpc("eth_getBalance", sender, "latest")
    intent_id = queue_mint(world)
    IntentRunner(world.relayer()).sign(intent_id)
    world.rpc("anvil_setBalance", sender, "0x0")
    for _ in range(3):
        run(world, chain_replace_seconds=AT_ONCE)
    assert status(world, intent_id) == "signed"
    assert "nsufficient funds" in str(intent_of(world, intent_id).error)
    assert len(world.attempts(intent_id)) == 1
    world.rpc("anvil_setBalance", sender, money)
    run(world)
    assert status(world, intent_id) == "confirmed"


def test_what_is_under_way_for_long_raises_an_alarm(slow: World) -> None:
    intent_id = queue_mint(slow)
    run(slow, chain_stuck_seconds=AT_ONCE)
    assert intent_of(slow, intent_id).alarm
    slow.rpc("evm_mine")
    run(slow, chain_stuck_seconds=AT_ONCE)
    assert not intent_of(slow, intent_id).alarm


def test_a_transaction_that_every_node_dropped_is_sent_again(slow: World) -> None:
    intent_id = queue_mint(slow)
    run(slow)
    (attempt,) = slow.attempts(intent_id)
    slow.rpc("anvil_dropTransaction", attempt.tx_hash)
    assert not knows(slow.client, [str(attempt.tx_hash)])
    run(slow, chain_check_seconds=AT_ONCE)
    slow.rpc("evm_mine")
    run(slow)
    assert status(slow, intent_id) == "confirmed"
    assert len(slow.attempts(intent_id)) == 1
    assert slow.coins(DEAD) == 1


# ── nonces ───────────────────────────────────────────────────────────────────────────────────


def test_two_processes_at_once_send_everything_once(world: World) -> None:
    world.track()
    before = nonce_of(world.client, str(world.relayer().sender.address))
    intents = [queue_mint(world, f"mint {number}") for number in range(12)]

    def work() -> None:
        database = Database(world.database.url)
        relayer = world.relayer(ChainClient(world.settings.rpc_urls))
        try:
            for _ in range(3):
                IntentRunner(replace(relayer, database=database)).run()
        finally:
            database.dispose()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work) for _ in range(3)]:
            done.result()
    world.track()
    assert world.coins(DEAD) == len(intents)
    nonces = [attempt.nonce for intent_id in intents for attempt in world.attempts(intent_id)]
    assert sorted(nonces) == list(range(before, before + len(intents)))
    assert {status(world, intent_id) for intent_id in intents} == {"confirmed"}


def test_the_database_refuses_a_nonce_that_another_intent_has(world: World) -> None:
    ids = [queue_mint(world, "one"), queue_mint(world, "two")]
    place = {"chain_id": 1, "sender": DEAD, "nonce": 7, "gas": 1, "fees": Fees(1, 1)}
    with world.database.reader() as session:
        mine, other = (session.get_one(ChainIntent, intent_id) for intent_id in ids)
        assert [reserve(session, mine, **place).number for _ in range(2)] == [1, 2]
        with pytest.raises(IntegrityError):
            reserve(session, other, **place)


def test_nonces_that_were_left_out_are_filled(slow: World) -> None:
    """The only endpoint overstated what is mined, so that what was signed could never be."""
    slow.rpc("evm_setAutomine", True)
    intent_id = queue_mint(slow)
    with endpoints.endpoint(slow.settings.rpc_urls[0], endpoints.overstated_nonces) as url:
        run(slow, ChainClient([url]))
    assert status(slow, intent_id) == "sent"
    for _ in range(5):
        run(slow, chain_replace_seconds=AT_ONCE)
    assert status(slow, intent_id) == "confirmed"
    assert slow.coins(DEAD) == 1
    with slow.database.reader() as session:
        fills = session.scalars(select(ChainIntent).where(ChainIntent.kind == "fill")).all()
    assert [fill.status for fill in fills] == ["confirmed", "confirmed"]


# ── endpoints that lag or lie ────────────────────────────────────────────────────────────────


def test_one_liar_among_three_makes_nothing_be_signed_twice(slow: World) -> None:
    """It says of one that waits, and then of one that is mined, that its nonce is gone."""
    node = slow.settings.rpc_urls[0]
    intent_id = queue_mint(slow)
    with endpoints.endpoint(node, endpoints.spent_without_receipts) as liar:
        client = ChainClient([liar, node, node])
        for _ in range(3):
            run(slow, client)
        slow.rpc("evm_mine")
        slow.finalize()
        for _ in range(3):
            run(slow, client)
        assert len(slow.attempts(intent_id)) == 1
    run(slow)
    assert status(slow, intent_id) == "confirmed"
    assert slow.coins(DEAD) == 1


def test_a_lone_endpoint_that_lags_makes_nothing_be_signed_twice(slow: World) -> None:
    intent_id = queue_mint(slow)
    run(slow)
    slow.rpc("evm_mine")
    with endpoints.endpoint(slow.settings.rpc_urls[0], endpoints.no_receipts) as late:
        for _ in range(3):
            run(slow, ChainClient([late]))
    (attempt,) = slow.attempts(intent_id)
    assert (status(slow, intent_id), attempt.status) == ("sent", "sent")
    run(slow)
    assert status(slow, intent_id) == "confirmed"
    assert slow.coins(DEAD) == 1


def test_an_endpoint_that_lags_does_not_have_a_nonce_used_again(world: World) -> None:
    world.track()
    first, second = queue_mint(world, "first"), queue_mint(world, "second")
    with endpoints.endpoint(world.settings.rpc_urls[0], endpoints.late_nonces) as late:
        runner = IntentRunner(world.relayer(ChainClient([late])))
        for intent_id in (first, second):
            runner.sign(intent_id)
            runner.send(intent_id)
    (one,), (two,) = world.attempts(first), world.attempts(second)
    assert two.nonce == one.nonce + 1
    run(world)
    assert world.coins(DEAD) == 2


def test_a_mint_whose_nonce_is_really_lost_waits_for_a_person(slow: World) -> None:
    """Nothing on chain would keep a second one from minting again."""
    intent_id = queue_mint(slow)
    IntentRunner(slow.relayer()).sign(intent_id)
    slow.rpc("evm_setAutomine", True)
    slow.client.send_unlocked(str(slow.relayer().sender.address), DEV_DEPLOYER, "0x")
    run(slow)
    assert status(slow, intent_id) == "sent"
    slow.finalize()
    run(slow)
    lost = intent_of(slow, intent_id)
    assert (lost.status, lost.alarm) == ("failed", True)
    assert "would not refuse a second" in str(lost.error)
    assert [attempt.status for attempt in slow.attempts(intent_id)] == ["lost"]
    assert slow.coins(DEAD) == 0
    with slow.database.transaction() as session:
        retry_intent(session, intent_id, "staff:1")
    run(slow)
    assert status(slow, intent_id) == "confirmed"
    assert slow.coins(DEAD) == 1


def test_a_liar_among_three_can_not_have_an_opening_refused(world: World) -> None:
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    node = world.settings.rpc_urls[0]
    with endpoints.endpoint(node, endpoints.refuses_calls) as liar:
        run_intents(world.context, ChainClient([liar, node, node]))
        assert world.intents(trade_id)["open"].status == "confirmed"


def test_endpoints_that_are_evenly_split_decide_nothing(world: World) -> None:
    intent_id = queue_mint(world)
    node = world.settings.rpc_urls[0]
    with endpoints.endpoint(node, endpoints.refuses_calls) as liar:
        run(world, ChainClient([liar, node]))
    assert status(world, intent_id) == "new"
    assert "do not agree" in str(intent_of(world, intent_id).error)
    run(world)
    assert status(world, intent_id) == "confirmed"


def test_a_dead_endpoint_and_a_liar_beside_an_honest_one_do_no_harm(world: World) -> None:
    world.track()
    node, intent_id = world.settings.rpc_urls[0], queue_mint(world)
    with endpoints.endpoint(node, endpoints.overstated_nonces) as liar:
        for _ in range(2):
            run(world, ChainClient([liar, "http://127.0.0.1:1", node]))
    assert status(world, intent_id) == "confirmed"
    assert len(world.attempts(intent_id)) == 1
    assert world.coins(DEAD) == 1


def test_what_needs_more_gas_than_a_transaction_may_use_is_not_signed(world: World) -> None:
    intent_id = queue_mint(world)
    with endpoints.endpoint(world.settings.rpc_urls[0], endpoints.asks_much_gas) as url:
        run(world, ChainClient([url]))
    assert status(world, intent_id) == "failed"
    assert "16,777,217 gas" in str(intent_of(world, intent_id).error)
    assert world.attempts(intent_id) == []


def test_no_node_and_no_signer_is_asked_under_the_lock_on_nonces(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.track()
    queue_mint(world)
    asked: list[bool] = []

    def is_free() -> None:
        with world.database.transaction() as session:
            key = f"chain:{world.deployment.chain_id}:{world.relayer().sender.address}"
            free = "SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 0))"
            asked.append(bool(session.scalar(text(free), {"key": key})))

    sign, each = attempts.signed, Pool.each

    def signed(*values: Any) -> bytes:
        is_free()
        return sign(*values)

    def asks(pool: Pool, *asked: Any) -> Any:
        is_free()
        return each(pool, *asked)

    monkeypatch.setattr(attempts, "signed", signed)
    monkeypatch.setattr(Pool, "each", asks)
    run(world)
    assert len(asked) > 4
    assert all(asked)


def test_an_endpoint_that_overstates_fees_does_not_set_the_price(world: World) -> None:
    node = world.settings.rpc_urls[0]
    intent_id = queue_mint(world)
    with endpoints.endpoint(node, endpoints.dear) as liar:
        run(world, ChainClient([liar, node, node]))
    (attempt,) = world.attempts(intent_id)
    assert attempt.max_fee < 10 * GWEI


# ── reorgs ───────────────────────────────────────────────────────────────────────────────────


def test_what_a_reorg_took_back_is_sent_again_with_the_same_bytes(world: World) -> None:
    trade_id = world.locked_trade()
    first = world.intents(trade_id)["open"]
    world.rpc("anvil_reorg", 1, [])
    assert world.chain_status(trade_id) == "none"
    checks = world.with_settings(chain_check_seconds=AT_ONCE)
    for _ in range(3):
        jobs.track_intents(checks)
    again = world.intents(trade_id)["open"]
    assert (again.status, again.tx_hash) == ("confirmed", first.tx_hash)
    assert len(world.attempts(again.id)) == 1
    assert world.chain_status(trade_id) == "open"
    assert world.trade(trade_id).state == "awaiting_payment"
    with world.database.reader() as session:
        kinds = session.scalars(
            select(AuditEvent.kind)
            .where(AuditEvent.subject == f"trade:{trade_id}", AuditEvent.kind.like("escrow.%"))
            .order_by(AuditEvent.seq)
        ).all()
    assert kinds[-3:] == ["escrow.confirmed", "escrow.taken_back", "escrow.confirmed"]


def test_it_is_looked_at_until_final_and_then_no_more(world: World) -> None:
    intent_id = queue_mint(world)
    world.track()
    run(world, chain_check_seconds=AT_ONCE)
    assert intent_of(world, intent_id).final_at is None
    world.finalize()
    run(world, chain_check_seconds=AT_ONCE)
    assert intent_of(world, intent_id).final_at is not None
    run(world, chain_check_seconds=AT_ONCE)
    assert len(world.attempts(intent_id)) == 1


def test_an_effect_of_somebody_elses_that_a_reorg_took_back_is_made(world: World) -> None:
    trade_id = world.match()
    jobs.run_escrow_events(world.context)
    intent = world.intents(trade_id)["open"]
    relayer = str(world.relayer().sender.address)
    world.client.send_unlocked(relayer, intent.to_address, intent.data)
    world.work()
    assert world.intents(trade_id)["open"].status == "done"
    depth = world.client.block_number() - int(world.intents(trade_id)["open"].block_number or 0)
    world.rpc("anvil_reorg", depth + 1, [])
    checks = world.with_settings(chain_check_seconds=AT_ONCE)
    for _ in range(3):
        jobs.track_intents(checks)
    assert world.intents(trade_id)["open"].status == "confirmed"
    head = world.client.block_number()
    logs = world.client.logs(world.deployment.escrow, [event_topic("Opened")], 0, head)
    assert len(logs) == 1


def test_a_reverted_mint_is_not_tried_again_before_that_is_final(slow: World) -> None:
    """The token's code is away while it is mined, and back after."""
    token = slow.deployment.token("USDT")
    code = slow.rpc("eth_getCode", token, "latest")
    intent_id = queue_mint(slow)
    run(slow)
    slow.rpc("anvil_setCode", token, "0xfe")
    slow.rpc("evm_mine")
    run(slow)
    slow.rpc("anvil_setCode", token, code)
    failed = intent_of(slow, intent_id)
    assert (failed.status, failed.final_at) == ("failed", None)
    with slow.database.transaction() as session, pytest.raises(Conflict):
        retry_intent(session, intent_id, "staff:1")
    slow.finalize()
    run(slow, chain_check_seconds=AT_ONCE)
    with slow.database.transaction() as session:
        retry_intent(session, intent_id, "staff:1")
    slow.rpc("evm_setAutomine", True)
    run(slow)
    run(slow)
    assert status(slow, intent_id) == "confirmed"
    assert slow.coins(DEAD) == 1


# ── what it costs ────────────────────────────────────────────────────────────────────────────


def test_gas_is_counted_per_trade_and_per_day_and_above_the_budget_told_once(world: World) -> None:
    context = world.with_settings(chain_gas_budget_gwei=1)
    trade_id = world.match()
    jobs.run_escrow_events(context)
    for _ in range(3):
        jobs.track_intents(context)
    with world.database.reader() as session:
        (attempt,) = attempts_of(session, world.intents(trade_id)["open"].id)
        raw = world.rpc("eth_getTransactionReceipt", attempt.tx_hash)
        paid = int(raw["gasUsed"], 16) * int(raw["effectiveGasPrice"], 16)
        assert gas_of_trade(session, trade_id) == paid > 0
        (today,) = gas_by_day(session, 7)
        assert today.transactions == 2  # The demo coins' minting and the opening.
        assert today.wei > paid
        told = select(AuditEvent.data).where(AuditEvent.kind == OVER_BUDGET)
        (data,) = session.scalars(told).all()
    assert data["budget"] == str(GWEI)


def test_without_a_budget_nothing_is_told(world: World) -> None:
    context = world.with_settings(chain_gas_budget_gwei=0)
    jobs.track_intents(context)
    with world.database.reader() as session:
        told = session.scalars(select(AuditEvent).where(AuditEvent.kind == OVER_BUDGET)).all()
    assert told == []


def test_the_retried_one_is_not_overdue_at_once(world: World) -> None:
    with world.database.transaction() as session:
        queue_intent(session, key="k", kind="mint", to=DEV_DEPLOYER, data="0x")
        intent = session.scalars(select(ChainIntent).where(ChainIntent.key == "k")).one()
        intent.status, intent.final_at = "failed", intent.created_at
        intent.created_at = intent.created_at.replace(year=intent.created_at.year - 1)
        retry_intent(session, intent.id, "staff:1")
    with world.database.transaction() as session:
        # Nothing is sent, so that it stays under way.
        session.get_one(ChainIntent, intent.id).data = "0xnonsense"
    run(world)
    assert not intent_of(world, intent.id).alarm


def test_a_signer_that_refuses_one_transaction_does_not_keep_the_others_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.track()
    refused, wanted = queue_mint(world, "refused"), queue_mint(world, "wanted")
    sign, calls = attempts.signed, []

    def picky(*values: Any) -> bytes:
        calls.append(values)
        if len(calls) == 1:
            raise Unavailable("The signer does not answer.")
        return sign(*values)

    monkeypatch.setattr(attempts, "signed", picky)
    run(world)
    assert status(world, refused) == "new"
    assert world.attempts(refused) == []
    assert status(world, wanted) == "confirmed"
    run(world)
    assert status(world, refused) == "confirmed"
    assert world.coins(DEAD) == 2


def test_what_was_reserved_for_a_key_that_is_no_more_gets_a_nonce_of_the_new_one(
    world: World,
) -> None:
    world.track()
    intent_id = queue_mint(world)
    place = {"chain_id": 31337, "sender": DEAD, "nonce": 7, "gas": 1, "fees": Fees(1, 1)}
    with world.database.transaction() as session:
        reserve(session, session.get_one(ChainIntent, intent_id), **place)
    run(world)
    run(world)
    (attempt,) = world.attempts(intent_id)
    assert attempt.sender == world.relayer().sender.address
    assert world.coins(DEAD) == 1
