"""Real ccxt against the replay server: every exchange, and every way an exchange can fail."""

import socket
import time
from decimal import Decimal

import pytest

from portal.core.clock import now_ms
from portal.markets.feeds import Leg, PriceFeed, Source
from portal.markets.quotes import Policy, judge
from portal.markets.replay import EXCHANGES, level
from portal.markets.sources import demo_sources, parse_sources

PAIRS = [
    ("htx", "BTC/USDT"),
    ("kraken", "BTC/USDT"),
    ("kraken", "BTC/EUR"),
    ("kraken", "USDT/EUR"),
    ("bitstamp", "BTC/USDT"),
    ("bitstamp", "BTC/EUR"),
    ("bitstamp", "USDT/EUR"),
    ("bitvavo", "BTC/EUR"),
    ("bitvavo", "USDT/EUR"),
]
USDT_EUR = parse_sources(demo_sources("USDT-EUR"))


def direct(exchange, symbol="USDT/EUR"):
    return Source(exchange, (Leg(exchange, symbol),))


def judged(feed, sources=USDT_EUR, staleness_ms=60_000):
    readings = feed.read(sources)
    policy = Policy(staleness_ms=staleness_ms, outlier_bps=200, min_sources=2)
    answers = [readings[source] for source in sources]
    return judge(answers, policy, price_places=4, now_ms=now_ms())


def test_every_recorded_pair_is_read_near_its_level_with_a_present_time(feed):
    tickers = feed.tickers(PAIRS)
    for (exchange, symbol), ticker in tickers.items():
        assert ticker.problem is None, (exchange, symbol)
        assert abs(ticker.price / level(symbol, now_ms()) - 1) < Decimal("0.001")
        if exchange == "kraken":
            assert ticker.at_ms is None
        else:
            assert abs(now_ms() - ticker.at_ms) < 5_000


def test_what_an_exchange_trades_is_asked_once_and_its_coins_never(feed, replay):
    feed.tickers([("htx", "BTC/USDT")])
    feed.tickers([("htx", "BTC/USDT")])
    assert replay.requests_seen == [
        "/htx/v1/common/symbols",
        "/htx/market/detail/merged?symbol=btcusdt",
        "/htx/market/detail/merged?symbol=btcusdt",
    ]


def test_three_sources_agree_on_one_price(feed):
    judgement = judged(feed)
    assert 9050 < judgement.price_ticks < 9250
    assert [verdict.used for verdict in judgement.verdicts] == [True] * 3


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("down", "not available"),
        ("garbage", "does not trade this symbol"),
        ("stale", "stale: 60"),
        ("lying", "outlier: 2"),
        ("crossed", "crossed quote"),
    ],
)
def test_one_failing_exchange_is_left_out_with_its_reason(feed, replay, fault, says):
    replay.faults["bitstamp"] = fault
    judgement = judged(feed)
    assert judgement.price_ticks is not None
    assert [verdict.used for verdict in judgement.verdicts] == [True, False, True]
    assert says in judgement.verdicts[1].reason


def test_a_silent_exchange_costs_its_timeout_and_nobody_elses(make_feed, replay):
    replay.faults["bitstamp"] = "silent"
    begun = time.monotonic()
    judgement = judged(make_feed(timeout_ms=700))
    assert time.monotonic() - begun < 4
    assert judgement.price_ticks is not None
    assert "timed out" in judgement.verdicts[1].reason


@pytest.mark.parametrize("fault", ["down", "garbage"])
def test_an_exchange_that_recovers_is_used_again(feed, replay, fault):
    replay.faults["bitstamp"] = fault
    assert judged(feed).verdicts[1].used is False
    del replay.faults["bitstamp"]
    assert judged(feed).verdicts[1].used is True


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_garbage_in_the_middle_of_business_is_that_sources_problem(feed, replay, exchange):
    source = direct(exchange, "BTC/USDT" if exchange == "htx" else "BTC/EUR")
    assert feed.read([source])[source].price is not None
    replay.faults[exchange] = "garbage"
    reading = feed.read([source])[source]
    assert reading.price is None
    assert reading.problem


def test_one_leg_failing_fails_its_cross_only(feed, replay):
    replay.faults["htx"] = "crossed"
    judgement = judged(feed)
    assert [verdict.used for verdict in judgement.verdicts] == [True, True, False]
    assert judgement.verdicts[2].reason.startswith("htx BTC/USDT: crossed quote")


def test_with_all_exchanges_down_there_is_a_reason_and_no_exception(feed, replay):
    replay.faults.update(dict.fromkeys(EXCHANGES, "down"))
    judgement = judged(feed)
    assert judgement.price_ticks is None
    assert judgement.reason == "No fresh price: 0 of 3 sources answered, 2 needed."


def test_a_dead_server_is_a_problem_of_every_source_and_nothing_else():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        feed = PriceFeed(replay_url=url, timeout_ms=1_000)
        readings = feed.read(USDT_EUR)
        feed.close()
    assert all(reading.price is None and reading.problem for reading in readings.values())


def test_a_pair_the_exchange_does_not_trade_is_said_so(feed):
    source = direct("kraken", "DOGE/EUR")
    assert "does not trade this symbol" in feed.read([source])[source].problem


def test_an_exchange_nothing_is_recorded_of_is_a_problem_of_its_source(feed):
    source = direct("coinbase", "BTC/EUR")
    assert feed.read([source])[source].problem


def test_a_feed_without_sources_reads_nothing(feed):
    assert feed.read([]) == {}
