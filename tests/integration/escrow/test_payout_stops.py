"""A difference between ledger and chain stops payouts of that coin, and nothing else."""

import pytest
from sqlalchemy import select

from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from portal.core.settings import Settings
from portal.escrow import jobs, service
from portal.escrow.chain.client import encode_call
from portal.escrow.demo import DEV_DEPLOYER
from portal.escrow.payouts import jobs as payout_jobs
from portal.escrow.payouts.models import PayoutStop
from portal.escrow.payouts.stops import (
    cause_is_gone,
    find_stop,
    lift_stop,
    require_payouts,
    stop_payouts,
)
from portal.run.doctor_chain import check_payouts
from tests.factories.engine import USDT
from tests.integration.escrow.world import DEAD, ESCROWED, FUNDED, World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other at once."""
    monkeypatch.setattr(payout_jobs, "PAUSE_SECONDS", 0.0)


def steal(world: World, units: int) -> None:
    """Coins vanish from the contract, as no contract of ours would let them."""
    escrow = world.deployment.escrow
    world.rpc("anvil_setBalance", escrow, hex(10**18))
    world.rpc("anvil_impersonateAccount", escrow)
    data = encode_call("TestUSDT", "transfer", [DEAD, units])
    world.client.send_unlocked(escrow, world.deployment.token("USDT"), data)
    world.rpc("anvil_stopImpersonatingAccount", escrow)
    jobs.scan_deposits(world.context)


def give_back(world: World, units: int) -> None:
    """They are there again."""
    data = encode_call("TestUSDT", "mint", [world.deployment.escrow, units])
    world.client.send_unlocked(DEV_DEPLOYER, world.deployment.token("USDT"), data)
    jobs.scan_deposits(world.context)


def release(world: World, trade_id: int) -> None:
    """Alice lets the coins go."""
    world.sign(trade_id, world.alice, "seller", "release")
    world.act("release", trade_id, world.alice)


def stopped(world: World) -> PayoutStop | None:
    with world.database.reader() as session:
        return find_stop(session, "USDT")


def reconcile(world: World) -> str:
    return payout_jobs.reconcile_payouts(world.context)


def test_nothing_stops_while_ledger_and_chain_match(world: World) -> None:
    trade_id = world.paid_trade()
    assert reconcile(world) == "1 tokens match"
    release(world, trade_id)
    world.work()
    assert world.trade(trade_id).state == "completed"
    assert reconcile(world) == "1 tokens match"
    assert stopped(world) is None


def test_a_shortfall_holds_new_payouts_until_it_is_made_good(world: World) -> None:
    trade_id = world.paid_trade()
    steal(world, 1)
    assert reconcile(world) == "ledger and chain differ about USDT"
    stop = stopped(world)
    assert stop is not None
    assert stop.reason == (
        f"the escrow contract holds {ESCROWED - 1} units of USDT, open trades need {ESCROWED}"
    )
    (check,) = check_payouts(world.settings)
    assert not check.good
    assert "Payouts of USDT are stopped" in check.said
    release(world, trade_id)
    world.work()
    service.sweep_trades(world.context)
    world.work()
    assert "settle" not in world.intents(trade_id)
    assert world.coins(world.vault(world.bob)) == 0
    give_back(world, 1)
    assert reconcile(world) == "1 tokens match"
    service.sweep_trades(world.context)
    world.work()
    assert world.trade(trade_id).state == "completed"
    with world.database.reader() as session:
        kinds = session.scalars(
            select(AuditEvent.kind).where(AuditEvent.subject == "asset:USDT").order_by("seq")
        ).all()
    assert kinds == ["escrow.payouts_stopped", "escrow.payouts_resumed"]
    assert check_payouts(world.settings) == []


def test_a_payout_that_waits_unsigned_is_held_with_its_reason(world: World) -> None:
    trade_id = world.paid_trade()
    release(world, trade_id)
    jobs.run_escrow_events(world.context)
    steal(world, 1)
    reconcile(world)
    world.track()
    held = world.intents(trade_id)["settle"]
    assert (held.status, held.tx_hash, held.alarm) == ("new", None, False)
    assert held.error == "Payouts of USDT are stopped: ledger and chain differ."
    give_back(world, 1)
    reconcile(world)
    world.work()
    assert world.intents(trade_id)["settle"].status == "confirmed"
    assert world.trade(trade_id).state == "completed"


def test_refunds_are_payouts_too(world: World) -> None:
    trade_id = world.locked_trade()
    steal(world, 1)
    reconcile(world)
    world.sign(trade_id, world.bob, "buyer", "cancel")
    world.act("cancel_trade", trade_id, world.bob)
    world.work()
    assert world.intents(trade_id).keys() == {"open"}
    give_back(world, 1)
    reconcile(world)
    service.sweep_trades(world.context)
    world.work()
    assert world.trade(trade_id).state == "refunded"


def test_the_word_of_payment_is_not_held(world: World) -> None:
    """It has a deadline on chain, and pays nobody."""
    trade_id = world.locked_trade()
    steal(world, 1)
    reconcile(world)
    world.sign(trade_id, world.bob, "buyer", "paid")
    world.act("mark_paid", trade_id, world.bob)
    world.work()
    assert world.chain_status(trade_id) == "paid"


def test_an_accepted_difference_stops_nothing_again_until_it_changes(world: World) -> None:
    trade_id = world.paid_trade()
    steal(world, 1)
    reconcile(world)
    stop = stopped(world)
    assert stop is not None
    with world.database.transaction() as session:
        lift_stop(session, stop.id, "user:1", "Found: made good tomorrow.")
    assert reconcile(world) == "ledger and chain differ about USDT"
    assert stopped(world) is None
    world.fund(world.bob, 5 * USDT)
    reconcile(world)
    assert stopped(world) is None
    steal(world, 1)
    reconcile(world)
    again = stopped(world)
    assert again is not None
    assert again.id != stop.id
    release(world, trade_id)
    world.work()
    assert "settle" not in world.intents(trade_id)


def test_what_can_not_be_lifted_is_refused(world: World) -> None:
    world.locked_trade()
    steal(world, 1)
    reconcile(world)
    stop = stopped(world)
    assert stop is not None
    with world.database.transaction() as session:
        with pytest.raises(NotFound):
            lift_stop(session, 999, "user:1", "why")
        with pytest.raises(InvalidInput, match="A reason is needed"):
            lift_stop(session, stop.id, "user:1", " ")
        lift_stop(session, stop.id, "user:1", "why")
        with pytest.raises(Conflict, match="lifted already"):
            lift_stop(session, stop.id, "user:1", "why")


def test_coins_that_left_a_vault_under_a_trade_stop_payouts(world: World) -> None:
    world.match()
    world.burn(world.alice, FUNDED)
    jobs.scan_deposits(world.context)
    reconcile(world)
    stop = stopped(world)
    assert stop is not None
    assert f"the vault {world.vault(world.alice).lower()} holds 0 units" in stop.reason
    with world.database.reader() as session, pytest.raises(Unavailable, match="are stopped"):
        require_payouts(session, "USDT")


def test_other_coins_are_paid_on(world: World) -> None:
    world.locked_trade()
    steal(world, 1)
    reconcile(world)
    with world.database.reader() as session:
        require_payouts(session, "DAI")


def test_a_difference_that_passes_stops_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between booking a transfer and noting how far was read, the two rightly differ."""
    world.locked_trade()
    steal(world, 1)
    look, looks = payout_jobs._look, []

    def mend_meanwhile(*given: object) -> object:
        looks.append(look(*given))  # type: ignore[arg-type]
        if len(looks) == 1:
            give_back(world, 1)
        return looks[-1]

    monkeypatch.setattr(payout_jobs, "_look", mend_meanwhile)
    assert reconcile(world) == "1 tokens match"
    assert looks[0] != {}
    assert stopped(world) is None


def test_a_dead_chain_stops_and_resumes_nothing(world: World) -> None:
    world.locked_trade()
    steal(world, 1)
    reconcile(world)
    elsewhere = {"chain_rpc_urls": "http://127.0.0.1:1"}
    dead = Settings(_env_file=None, database_url=world.settings.database_url, **elsewhere)
    context = payout_jobs.JobContext(dead, world.database, world.engine, None)
    with pytest.raises(Unavailable):
        payout_jobs.reconcile_payouts(context)
    assert stopped(world) is not None


def test_trades_that_ended_long_ago_are_taken_to_be_in_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade_id = world.paid_trade()
    release(world, trade_id)
    world.work()
    monkeypatch.setattr(payout_jobs, "ENDED_LATELY_MS", -3_600_000)
    assert reconcile(world) == "1 tokens match"
    open_one = world.match()
    world.work()
    assert world.trade(open_one).state == "awaiting_payment"
    assert reconcile(world) == "1 tokens match"
    steal(world, 1)
    assert reconcile(world) == "ledger and chain differ about USDT"


def test_a_stop_of_a_person_holds_their_waiting_payouts_and_nobody_elses(world: World) -> None:
    trade_id = world.paid_trade()
    release(world, trade_id)
    jobs.run_escrow_events(world.context)
    cause = {"cause": "movement:7", "asset": "USDT", "reason": "Taken back."}
    with world.database.transaction() as session:
        assert stop_payouts(session, **cause, owner_id=world.alice.id)
        assert find_stop(session, "USDT") is None
        require_payouts(session, "USDT", (world.bob.id,))
    world.track()
    held = world.intents(trade_id)["settle"]
    assert (held.status, held.error) == (
        "new",
        "Payouts of USDT are stopped: the chain took back a deposit.",
    )
    with world.database.transaction() as session:
        assert cause_is_gone(session, "movement:7")
        assert not cause_is_gone(session, "movement:7")
    world.work()
    assert world.trade(trade_id).state == "completed"


def test_a_deposit_that_is_taken_back_twice_stops_payouts_twice(world: World) -> None:
    """Whoever let the first pass has not seen the second."""
    cause = {"cause": "movement:7", "asset": "USDT", "reason": "Taken back.", "owner_id": 7}
    with world.database.transaction() as session:
        assert stop_payouts(session, **cause)
        assert not stop_payouts(session, **cause)
        first = find_stop(session, "USDT", (7,))
        assert first is not None
        lift_stop(session, first.id, "user:1", "Paid back.")
        assert stop_payouts(session, **cause)
