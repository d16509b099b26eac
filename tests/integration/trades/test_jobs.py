"""Clearing and clocks with real plugins, a real engine and a real database."""

from typing import Any

import pytest

from portal.core.clock import now_ms
from portal.engine.local import LocalEngine
from portal.trades.jobs import run_clearing, run_timers
from portal.trades.progress import history, last_reason
from portal.users.kyc import set_kyc_tier
from tests.integration.payments.world import MARKET, World

pytestmark = pytest.mark.postgres


def set_rates(world: World, maker_bps: int, taker_bps: int) -> None:
    stored = world.host.stored_settings("maker_taker")
    with world.database.transaction() as session:
        world.host.save_settings(
            session,
            "maker_taker",
            "",
            {"maker_bps": maker_bps, "taker_bps": taker_bps},
            actor="staff:1",
            version=stored.version,
        )


def test_a_changed_rate_applies_to_the_next_trade(world: World) -> None:
    set_rates(world, 10, 20)
    first = world.locked(1_000_000)
    set_rates(world, 0, 50)
    second = world.locked(1_000_000)
    assert (world.trade(first).seller_fee, world.trade(first).buyer_fee) == (1000, 2000)
    assert (world.trade(second).seller_fee, world.trade(second).buyer_fee) == (0, 5000)


def test_a_fee_above_what_was_agreed_ends_the_trade_and_frees_the_coins(world: World) -> None:
    trade_id = world.matched()
    set_rates(world, 200, 200)
    run_clearing(world.context)
    trade = world.trade(trade_id)
    assert (trade.state, trade.locked) == ("cancelled", False)
    assert "fee" in (trade.reason or "")


def test_an_unchecked_person_is_stopped_before_any_coin_is_locked(world: World) -> None:
    trade_id = world.matched()
    officer, _ = world.person("Cora", "AT611904300234573201", kind="staff")
    set_kyc_tier(world.database, officer, world.buyer[0], 0, "documents expired")
    run_clearing(world.context)
    assert world.trade(trade_id).state in ("cancelled", "held")
    assert not world.trade(trade_id).locked


def test_rules_that_are_switched_off_hold_the_trade(world: World) -> None:
    trade_id = world.matched()
    with world.database.transaction() as session:
        world.host.set_enabled(session, "regional_rules", False, actor="staff:1")
    run_clearing(world.context)
    assert world.trade(trade_id).state == "held"


def test_clearing_twice_changes_nothing_more(world: World) -> None:
    trade_id = world.matched()
    assert run_clearing(world.context) == 1
    assert run_clearing(world.context) == 0
    assert world.trade(trade_id).state == "locking"


class Later:
    """A clock some seconds ahead."""

    def __init__(self, seconds: int) -> None:
        self._ahead = seconds * 1000

    def __call__(self) -> int:
        return now_ms() + self._ahead


@pytest.mark.parametrize(
    ("paid", "window", "state"),
    [(False, "payment_seconds", "expired"), (True, "release_seconds", "disputed")],
)
def test_a_clock_that_is_over_moves_the_trade_once(
    world: World, paid: bool, window: str, state: str
) -> None:
    trade_id = world.paid() if paid else world.locked()
    assert run_timers(world.context) == 0
    later: Any = Later(int(MARKET[window]) + 1)
    world.engine.close()
    engine = LocalEngine(world.database, clock=later)
    context = type(world.context)(
        world.context.settings, world.database, engine, world.context.plugins
    )
    assert run_timers(context, clock=later) == 1
    assert run_timers(context, clock=later) == 0
    assert world.trade(trade_id).state == state
    engine.close()


def test_what_a_rule_found_about_one_party_is_for_staff_alone(world: World) -> None:
    trade_id = world.matched()
    officer, _ = world.person("Cora", "AT611904300234573201", kind="staff")
    set_kyc_tier(world.database, officer, world.buyer[0], 0, "documents expired")
    run_clearing(world.context)
    trade = world.trade(trade_id)
    assert trade.reason
    with world.database.reader() as session:
        told = last_reason(history(session, trade))
    assert told
    assert told != trade.reason
