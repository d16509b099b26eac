"""Markets made and changed by staff: audited, told to the engine, or nothing at all."""

import threading

import pytest
from sqlalchemy import select

from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, InvalidInput, NotFound, PortalError, Unavailable
from portal.engine.models import MarketState
from portal.markets.models import Market
from portal.markets.service import list_markets, market_view, save_market, sync_engine
from tests.unit.markets.test_rules import values

pytestmark = pytest.mark.postgres


def save(context, *, engine=None, version=None, **change):
    return save_market(
        context.database,
        engine or context.engine,
        context.settings,
        "operator@demo.test",
        values(**change),
        version=version,
    )


def stored(context, market="USDT-EUR"):
    with context.database.reader() as session:
        return session.get(Market, market), session.get(MarketState, market)


def saved_events(context):
    with context.database.reader() as session:
        return session.scalars(
            select(AuditEvent).where(AuditEvent.kind == "market.saved").order_by(AuditEvent.seq)
        ).all()


def test_a_new_market_is_stored_audited_and_known_to_the_engine(context):
    view = save(context)
    market, state = stored(context)
    assert (market.lot, market.version, view.pause_reason) == (10_000, 1, "No price yet.")
    assert (state.terms["lot"], state.terms["quote_places"]) == (10_000, 2)
    (event,) = saved_events(context)
    assert (event.actor, event.subject) == ("operator@demo.test", "market:USDT-EUR")
    assert event.data["before"] is None
    assert event.data["after"]["max_trade"] == 5_000_000_000


def test_a_change_keeps_before_and_after_and_reaches_the_engine(context):
    save(context)
    save(context, version=1, max_trade="9000", status="halted")
    market, state = stored(context)
    assert (market.version, market.status) == (2, "halted")
    assert (state.terms["max_trade"], state.terms["status"]) == (9_000_000_000, "halted")
    event = saved_events(context)[1]
    assert event.data["before"]["status"] == "open"
    assert event.data["after"]["status"] == "halted"


def test_bad_input_changes_nothing(context):
    with pytest.raises(InvalidInput) as refused:
        save(context, lot="-1")
    assert refused.value.field == "lot"
    assert stored(context) == (None, None)
    assert saved_events(context) == []


def test_the_slower_of_two_editors_is_told_and_changes_nothing(context):
    save(context)
    save(context, version=1, max_trade="9000")
    for version, field in ((1, "version"), (None, "id")):
        with pytest.raises(Conflict) as refused:
            save(context, version=version, max_trade="7000")
        assert refused.value.field == field
    assert stored(context)[0].max_trade == 9_000_000_000


def test_of_two_who_make_the_same_market_at_once_one_is_told_so(context):
    answers = []

    def late():
        try:
            save(context, lot="0.1")
        except PortalError as error:
            answers.append(error.as_dict()["field"])

    class Slow:
        """Lets the other one begin while the first change is not committed yet."""

        def submit(self, command):
            rival.start()
            rival.join(0.5)
            return context.engine.submit(command)

    rival = threading.Thread(target=late)
    save(context, engine=Slow())
    rival.join(10)
    assert answers == ["id"]
    assert stored(context)[0].lot == 10_000


def test_the_price_ticks_of_a_market_can_not_change(context):
    save(context)
    with pytest.raises(Conflict) as refused:
        save(context, version=1, price_places=2)
    assert refused.value.field == "price_places"


def test_when_the_engine_is_away_or_refuses_nothing_is_changed(context):
    class Away:
        def submit(self, command):
            raise Unavailable("The trading engine does not answer just now.")

    with pytest.raises(PortalError):
        save(context, engine=Away())
    assert stored(context) == (None, None)
    assert saved_events(context) == []


def test_what_the_engine_does_not_know_is_told_again(context):
    save(context)
    with context.database.transaction() as session:
        session.get(Market, "USDT-EUR").payment_seconds = 900
    assert sync_engine(context.database, context.engine) == ["USDT-EUR"]
    assert stored(context)[1].terms["payment_seconds"] == 900
    assert sync_engine(context.database, context.engine) == []


def test_markets_are_listed_with_strings_for_amounts(context):
    save(context)
    (view,) = list_markets(context.database, context.settings)
    body = view.as_dict()
    assert (body["id"], body["lot"], body["tick"]) == ("USDT-EUR", "0.010000", "0.0001")
    assert body["price"] == {
        "current": None,
        "last_good": None,
        "last_good_at": None,
        "quote_id": None,
        "pause_reason": "No price yet.",
    }


def test_an_unknown_market_is_not_found(context):
    with pytest.raises(NotFound) as refused:
        market_view(context.database, context.settings, "XXX-YYY")
    assert refused.value.field == "market"
