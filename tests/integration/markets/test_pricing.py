"""The sweep, with real ccxt, PostgreSQL and the engine: quotes stored, floating orders paused."""

import pytest
from sqlalchemy import select

from portal.core.clock import from_ms, now_ms
from portal.core.errors import NotFound, Unavailable
from portal.core.jobs import JobContext
from portal.engine.models import MarketState
from portal.markets.jobs import run_market_sync, run_price_sweep, run_quote_prune
from portal.markets.models import Market, Quote
from portal.markets.pricing import is_fresh, last_good, sweep, sweep_all
from portal.markets.replay import EXCHANGES
from portal.markets.service import market_view
from portal.markets.sources import demo_sources
from portal.trades.models import Trade

pytestmark = pytest.mark.postgres


def quotes(context):
    with context.database.reader() as session:
        return session.scalars(select(Quote).order_by(Quote.id)).all()


def engine_state(context, market):
    with context.database.reader() as session:
        return session.get(MarketState, market)


def all_down(replay):
    replay.faults.update(dict.fromkeys(EXCHANGES, "down"))


def trade(**given):
    """A trade row with something in every column that needs it."""
    filler = {int: 1, str: "x", bool: False}
    wanted = [column for column in Trade.__table__.columns if not column.nullable]
    columns = [column for column in wanted if column.computed is None]
    return Trade(**{column.name: filler[column.type.python_type] for column in columns} | given)


def make_good_quote_old(context, seconds):
    with context.database.transaction() as session:
        quote = last_good(session, "USDT-EUR")
        quote.observed_at = from_ms(now_ms() - seconds * 1000)


def test_a_sweep_stores_the_quote_with_its_sources_and_tells_the_engine(context, feed, market):
    swept = sweep(context, feed, market)
    (quote,) = quotes(context)
    assert quote.price_ticks == swept.judgement.price_ticks
    assert [source["used"] for source in quote.sources] == [True] * 3
    assert quote.sources[0]["name"] == "kraken"
    state = engine_state(context, market)
    assert (state.index_ticks, state.quote_id) == (quote.price_ticks, quote.id)


def test_no_source_pauses_floating_prices_with_the_reason(context, feed, market, replay):
    all_down(replay)
    swept = sweep(context, feed, market)
    assert swept.told["price"] is None
    state = engine_state(context, market)
    assert state.index_ticks is None
    assert state.index_reason == "No fresh price: 0 of 3 sources answered, 2 needed."
    (quote,) = quotes(context)
    assert quote.reason == state.index_reason


def test_while_the_last_good_price_is_fresh_a_failed_sweep_pauses_nothing(
    context, feed, market, replay
):
    good = sweep(context, feed, market)
    all_down(replay)
    assert sweep(context, feed, market).told is None
    assert engine_state(context, market).index_ticks == good.judgement.price_ticks
    assert len(quotes(context)) == 2


def test_once_the_last_good_price_is_stale_it_is_shown_and_no_longer_used(
    context, feed, market, replay
):
    good = sweep(context, feed, market)
    all_down(replay)
    make_good_quote_old(context, seconds=61)
    sweep(context, feed, market)
    assert engine_state(context, market).index_ticks is None
    view = market_view(context.database, context.settings, market)
    assert view.floating_price_ticks is None
    assert view.good.price_ticks == good.judgement.price_ticks
    assert "0 of 3 sources" in view.pause_reason


def test_a_pause_is_told_once_and_ends_with_the_next_price(context, feed, market, replay):
    all_down(replay)
    assert sweep(context, feed, market).told is not None
    assert sweep(context, feed, market).told is None
    replay.faults.clear()
    assert sweep(context, feed, market).told["price"] is not None
    assert engine_state(context, market).index_reason is None


def test_one_lying_exchange_does_not_move_the_price(context, feed, market, replay):
    honest = sweep(context, feed, market).judgement.price_ticks
    replay.faults["bitstamp"] = "lying"
    swept = sweep(context, feed, market)
    assert abs(swept.judgement.price_ticks - honest) < 10
    assert quotes(context)[1].sources[1]["reason"].startswith("outlier")


def test_stale_and_crossed_sources_leave_too_few(context, feed, market, replay):
    replay.faults.update(bitstamp="stale", kraken="crossed")
    judgement = sweep(context, feed, market).judgement
    assert judgement.reason == "No fresh price: 1 of 3 sources answered, 2 needed."


def test_an_unknown_market_is_not_found(context, feed):
    with pytest.raises(NotFound):
        sweep(context, feed, "XXX-YYY")


def test_without_the_engine_the_quote_is_kept_and_the_line_says_so(context, feed, market):
    class Away:
        def submit(self, command):
            raise Unavailable("The trading engine does not answer just now.")

    away = JobContext(context.settings, context.database, Away(), None)
    assert "does not answer" in sweep_all(away, feed)
    assert len(quotes(context)) == 1


def test_one_market_with_broken_sources_does_not_stop_the_others(context, feed, market):
    with context.database.transaction() as session:
        row = session.get(Market, market)
        broken = {name: getattr(row, name) for name in row.__table__.columns.keys()}  # noqa: SIM118
        broken |= {"id": "BTC-EUR", "base": "BTC", "sources": [{"name": "x", "legs": []}]}
        session.add(Market(**broken))
    line = sweep_all(context, feed)
    assert "BTC-EUR: failed: A source has 1 to 2 legs." in line
    assert "USDT-EUR: 3 of 3 sources" in line


def test_two_markets_share_one_answer_of_an_exchange(context, feed, market, replay):
    with context.database.transaction() as session:
        row = session.get(Market, market)
        twin = {name: getattr(row, name) for name in row.__table__.columns.keys()}  # noqa: SIM118
        twin |= {"id": "BTC-EUR", "base": "BTC", "sources": demo_sources("BTC-EUR")}
        session.add(Market(**{**twin, "price_places": 2}))
    run_market_sync(context)
    assert sweep_all(context, feed) == "BTC-EUR: 3 of 3 sources; USDT-EUR: 3 of 3 sources"
    assert replay.requests_seen.count("/htx/market/detail/merged?symbol=btcusdt") == 1


def test_a_quote_without_price_is_never_fresh(settings):
    assert is_fresh(Quote(price_ticks=None), settings, now_ms()) is False


def test_the_jobs_say_in_a_line_what_they_did(context, market, replay):
    context.settings.price_replay_url = replay.url
    assert run_price_sweep(context) == "USDT-EUR: 3 of 3 sources"
    assert run_market_sync(context) == "the engine knows all markets"


def test_old_quotes_are_forgotten_but_never_one_of_a_trade(context, market):
    month_ago = from_ms(now_ms() - 31 * 86_400_000)
    with context.database.transaction() as session:
        old, traded, new = (
            Quote(market_id=market, at=at, price_ticks=1, sources=[])
            for at in (month_ago, month_ago, from_ms(now_ms()))
        )
        session.add_all([old, traded, new])
        session.flush()
        session.add(trade(quote_id=traded.id))
    assert run_quote_prune(context) == "1 old quotes forgotten"
    assert [quote.id for quote in quotes(context)] == [traded.id, new.id]
