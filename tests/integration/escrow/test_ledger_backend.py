"""A market whose operator keeps the escrow in the ledger: the same life without a chain."""

from typing import Any

import pytest

from portal.escrow import service
from portal.markets.models import AssetRow
from portal.trades.models import Trade
from tests.factories import engine as commands
from tests.factories.engine import USDT
from tests.integration.escrow.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.chain]


def matched(world: World) -> int:
    market: dict[str, Any] = {"market": "IN-LEDGER"}
    with world.database.transaction() as session:
        session.merge(AssetRow(code="BTC", name="Bitcoin", kind="coin", places=6))
    world.define(commands.define_market(id="IN-LEDGER", base="BTC", escrow="ledger"))
    world.engine.submit(commands.deposit(owner=world.alice.id, asset="BTC"))
    world.engine.submit(commands.place_order(owner=world.alice.id, **market))
    bid = commands.place_order(owner=world.bob.id, side="buy", **market)
    (trade_id,) = world.engine.submit(bid)["trades"]
    world.engine.submit({"kind": "clear_trade", "trade_id": trade_id, "decision": "allow"})
    world.work()
    return int(trade_id)


def test_it_locks_and_pays_out_at_once(world: World) -> None:
    trade_id = matched(world)
    assert world.trade(trade_id).state == "awaiting_payment"
    assert world.record(trade_id).backend == "ledger"
    world.act("mark_paid", trade_id, world.bob)
    world.act("release", trade_id, world.alice)
    world.work()
    assert world.trade(trade_id).state == "completed"
    assert world.record(trade_id).status == "closed"
    assert world.intents(trade_id) == {}


def test_a_cancelled_trade_is_refunded(world: World) -> None:
    trade_id = matched(world)
    world.act("cancel_trade", trade_id, world.bob)
    world.work()
    assert world.trade(trade_id).state == "refunded"


def test_nothing_is_to_be_signed(world: World) -> None:
    trade_id = matched(world)
    with world.database.transaction() as session:
        trade = session.get_one(Trade, trade_id)
        assert service.signing_requests(session, trade, "buyer", "paid") == []
        service.store_signatures(session, trade, "buyer", "paid", {})
    assert world.trade(trade_id).quantity == 100 * USDT


def test_a_trade_whose_event_was_lost_is_found_by_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade_id = matched(world)
    world.act("cancel_trade", trade_id, world.bob)
    with monkeypatch.context() as broken:
        broken.setattr(service, "backends", lambda settings: {})
        service.process_events(world.context)
    assert service.process_events(world.context) == 0
    assert world.trade(trade_id).state == "cancelled"
    assert service.sweep_trades(world.context) == 1
    assert world.trade(trade_id).state == "refunded"
    assert service.sweep_trades(world.context) == 0
