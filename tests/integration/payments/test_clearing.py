"""Compliance and fees of matched trades, from rows to the engine."""

from datetime import date
from typing import Any

import pytest
from flask_appbuilder.security.sqla.models import Group, assoc_user_group
from sqlalchemy import insert

from portal.core.clock import now_ms
from portal.core.errors import Conflict, NotFound
from portal.core.money import Asset, Money
from portal.engine import frames
from portal.payments.clearing import clearance_command, clearing_command
from portal.payments.facts import trade_facts
from portal.payments.fee_preview import compare, past_trades
from portal.payments.instructions import instructions
from portal.payments.rules_preview import newest_trades, simulate
from portal.plugin_api import Decision
from portal.plugin_host.models import PluginSetting
from portal.trades.jobs import run_clearing
from portal.trades.models import Trade
from portal.users.models import User
from tests.integration.payments.world import QUANTITY, World
from tests.integration.plugins.providers import Answering, host_of

pytestmark = pytest.mark.postgres
EUR = Asset("EUR", 2)


def command(world: World, trade_id: int) -> dict[str, Any]:
    with world.database.reader() as session:
        return clearing_command(session, world.host, world.trade(trade_id))


def change_user(world: World, user_id: int, **changes: Any) -> None:
    with world.database.transaction() as session:
        user = session.get_one(User, user_id)
        for name, value in changes.items():
            setattr(user, name, value)


def test_a_trade_is_cleared_with_its_fees_and_their_explanation(world: World) -> None:
    trade_id = world.matched()
    run_clearing(world.context)
    trade = world.trade(trade_id)
    assert trade.state == "locking"
    assert (trade.seller_fee, trade.buyer_fee) == (QUANTITY // 1000, 2 * QUANTITY // 1000)
    assert "Maker 0.10 %" in str(trade.fee_note)


def test_a_new_rate_applies_to_the_next_trade(world: World) -> None:
    first = world.matched()
    run_clearing(world.context)
    with world.database.transaction() as session:
        rates = {"maker_bps": 0, "taker_bps": 100, "min_fee": "0"}
        world.host.save_settings(session, "maker_taker", "", rates, version=0, actor="user:9")
    second = world.matched()
    run_clearing(world.context)
    assert world.trade(first).seller_fee == QUANTITY // 1000
    assert (world.trade(second).seller_fee, world.trade(second).buyer_fee) == (0, QUANTITY // 100)


def test_a_blocked_country_ends_the_trade_naming_the_place(world: World) -> None:
    change_user(world, world.buyer[0], country="IR")
    trade_id = world.matched()
    run_clearing(world.context)
    trade = world.trade(trade_id)
    assert trade.state == "cancelled"
    assert "Iran" in str(trade.reason)


def test_over_the_limit_is_held_and_an_officer_lets_it_go_on(world: World) -> None:
    trade_id = world.matched(quantity=2_000_000)  # 1,200 EUR
    run_clearing(world.context)
    trade = world.trade(trade_id)
    assert trade.state == "held"
    assert "over the 1000.00 EUR" in str(trade.reason)
    with world.database.reader() as session:
        world.engine.submit(clearance_command(session, world.host, trade, actor=99))
    assert world.trade(trade_id).state == "locking"


def test_the_days_trades_add_up_and_cancelled_ones_do_not(world: World) -> None:
    first, second = world.matched(), world.matched()
    with world.database.reader() as session:
        facts = trade_facts(session, world.trade(second))
    assert facts.buyer.traded_today == facts.seller.traded_today == Money(EUR, 91_80)
    assert facts.price == "60000.00"
    world.engine.submit({"kind": "cancel_trade", "trade_id": first, "actor": world.buyer[0]})
    with world.database.reader() as session:
        assert trade_facts(session, world.trade(second)).buyer.traded_today == Money(EUR, 0)


def test_a_fee_model_that_fails_holds_the_trade(world: World) -> None:
    trade_id = world.matched()
    with world.database.transaction() as session:
        session.add(
            PluginSetting(slug="maker_taker", scope="", version=1, data={"x": 1}, changed_by="x")
        )
    answer = command(world, trade_id)
    assert answer["decision"] == "hold"
    assert "could not be computed" in answer["reason"]


def test_the_command_is_the_same_when_asked_again(world: World) -> None:
    trade_id = world.matched()
    assert command(world, trade_id) == command(world, trade_id)


def test_the_buyer_sees_the_bank_details_only_once_the_escrow_is_locked(world: World) -> None:
    trade_id = world.matched()
    with pytest.raises(Conflict, match="don't pay before"):
        told(world, trade_id, world.buyer[0])
    run_clearing(world.context)
    with pytest.raises(Conflict, match="don't pay before"):
        told(world, trade_id, world.buyer[0])
    world.engine.submit({"kind": "escrow_locked", "trade_id": trade_id, "reference": "ledger"})
    shown = told(world, trade_id, world.buyer[0])
    assert shown.deadline_ms == world.trade(trade_id).payment_deadline_ms
    assert shown.instructions.amount == Money(EUR, 91_80)
    assert [field.value for field in shown.instructions.payee] == [
        "Alice Demo",
        "DE89 3704 0044 0532 0130 00",
    ]
    for stranger in (world.seller[0], 12345):
        with pytest.raises(NotFound):
            told(world, trade_id, stranger)


def test_nothing_is_shown_after_the_end(world: World) -> None:
    trade_id = world.locked()
    world.engine.submit({"kind": "cancel_trade", "trade_id": trade_id, "actor": world.buyer[0]})
    with pytest.raises(Conflict, match="nothing is to be paid"):
        told(world, trade_id, world.buyer[0])


def test_nobody_is_told_to_pay_when_the_time_is_over(world: World) -> None:
    trade_id = world.locked()
    with world.database.transaction() as session:
        # The clock's job is late: the row still says that payment is awaited.
        session.get_one(Trade, trade_id).payment_deadline_ms = now_ms() - 1
    with pytest.raises(Conflict, match="time to pay is over"):
        told(world, trade_id, world.buyer[0])


def told(world: World, trade_id: int, viewer: int) -> Any:
    with world.database.reader() as session:
        trade = world.trade(trade_id)
        return instructions(session, world.host, world.sealer, trade, viewer)


@pytest.mark.parametrize("words", ["a\x00b", "a\ud800b", "\x00", "x" * 600])
def test_whatever_words_a_plugin_finds_every_trade_gets_its_answer(
    world: World, words: str
) -> None:
    rules = Answering("odd", Decision.hold(words))
    host = host_of(world.desk.settings, world.database, rules, *world.host.providers.values())
    with world.database.transaction() as session:
        host.set_enabled(session, "odd", True, actor="user:9")
    trades = [world.matched(), world.matched()]
    with world.database.reader() as session:
        for trade_id in trades:
            command = clearing_command(session, host, session.get_one(Trade, trade_id))
            world.engine.submit(frames.unpack(frames.pack(command)[frames.HEADER.size :]))
    assert {world.trade(trade_id).state for trade_id in trades} == {"held"}


def test_the_facts_tell_the_volume_of_thirty_days_and_the_groups(world: World) -> None:
    first, second = world.matched(), world.matched()
    with world.database.transaction() as session:
        group = Group(name="pilots")
        session.add(group)
        session.flush()
        session.execute(insert(assoc_user_group).values(group_id=group.id, user_id=world.buyer[0]))
    with world.database.reader() as session:
        paid = trade_facts(session, world.trade(first)).amount
        later = trade_facts(session, world.trade(second))
    assert later.buyer.traded_30d == later.seller.traded_30d == paid
    assert later.buyer.groups == ("pilots",)
    assert later.seller.groups == ()


def test_past_trades_are_shown_under_the_fees_in_force_now(world: World) -> None:
    first, waiting = world.matched(), world.matched(QUANTITY * 2)
    run_clearing(world.context)
    with world.database.transaction() as session:
        rates = {"maker_bps": 0, "taker_bps": 100, "min_fee": "0"}
        world.host.save_settings(session, "maker_taker", "", rates, version=0, actor="user:9")
    with world.database.reader() as session:
        trades = past_trades(session)
        rows = compare(trades, lambda facts: world.host.quote_fees(facts, "maker_taker"))
        assert past_trades(session, "NO-MARKET") == []
    assert [row.trade_id for row in rows] == [waiting, first]
    assert rows[1].old.units == 3 * QUANTITY // 1000
    assert rows[1].new is not None
    assert rows[1].new.units == QUANTITY // 100
    assert world.trade(first).seller_fee == QUANTITY // 1000


def test_past_trades_are_told_to_the_rules_as_of_their_match(world: World) -> None:
    first, second = world.matched(), world.matched()
    with world.database.reader() as session:
        trades = newest_trades(session)
    rows = simulate(trades, date(2026, 3, 2), world.host.check_trade)
    assert [row.trade_id for row in rows] == [second, first]
    assert {row.decision for row in rows} == {Decision.allow()}
