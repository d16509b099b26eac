"""Reading tickers and combining legs; the network is in the integration tests."""

import json
from decimal import Decimal
from pathlib import Path

import ccxt
import pytest

from portal.core.errors import InvalidInput
from portal.markets import feeds
from portal.markets.feeds import Leg, Source, Ticker, combine, decimal, make_client, read_ticker
from portal.markets.replay import recordings

NOW = 1_800_000_000_000


def ticker(**fields):
    return read_ticker({"timestamp": NOW, **fields}, NOW)


def test_the_middle_of_bid_and_ask_is_the_price():
    assert ticker(bid="1.0", ask="1.1", last="9").price == Decimal("1.05")


@pytest.mark.parametrize("hole", [None, "0", 0, "", "x", float("nan")])
def test_without_both_sides_the_last_trade_is_the_price(hole):
    assert ticker(bid=hole, ask="1.1", last="1.02").price == Decimal("1.02")
    assert ticker(bid="1", ask=hole, last="1.02").price == Decimal("1.02")


def test_a_crossed_quote_is_refused_with_its_numbers():
    crossed = ticker(bid="1.2", ask="1.1", last="1.15")
    assert crossed.price is None
    assert crossed.problem == "crossed quote: bid 1.2 above ask 1.1"


def test_bid_equal_to_ask_is_not_crossed():
    assert ticker(bid="1.1", ask="1.1").price == Decimal("1.1")


def test_an_empty_ticker_has_a_problem_and_no_price():
    empty = read_ticker({}, NOW)
    assert (empty.price, empty.at_ms) == (None, None)
    assert empty.problem == "no bid and ask, and no last trade"


def test_floats_become_the_decimal_they_print_as_and_nothing_else():
    assert decimal(73360.53) == Decimal("73360.53")
    assert decimal("0.91500000") == Decimal("0.915")
    assert [decimal(bad) for bad in (None, "", "-1", "Infinity", True.__class__)] == [None] * 5


CROSS = Source("cross", (Leg("kraken", "BTC/EUR"), Leg("htx", "BTC/USDT", "divide")))


def test_a_cross_divides_and_is_as_old_as_its_oldest_leg():
    reading = combine(
        CROSS,
        {
            ("kraken", "BTC/EUR"): Ticker(NOW, Decimal("67140"), NOW - 7_000),
            ("htx", "BTC/USDT"): Ticker(NOW - 100, Decimal("73360"), NOW - 3_000),
        },
    )
    assert round(reading.price, 6) == Decimal("0.915213")
    assert (reading.at_ms, reading.fetched_ms) == (NOW - 7_000, NOW - 100)


def test_a_failed_leg_is_named_in_the_sources_problem():
    reading = combine(
        CROSS,
        {
            ("kraken", "BTC/EUR"): Ticker(NOW, Decimal("67140")),
            ("htx", "BTC/USDT"): Ticker(NOW, problem="timed out"),
        },
    )
    assert reading.price is None
    assert reading.problem == "htx BTC/USDT: timed out"


def test_legs_multiply_and_a_first_leg_may_divide():
    tickers = {
        ("htx", "BTC/USDT"): Ticker(NOW, Decimal(8)),
        ("kraken", "USDT/EUR"): Ticker(NOW, Decimal(4)),
    }
    product = Source("x", (Leg("htx", "BTC/USDT"), Leg("kraken", "USDT/EUR")))
    inverse = Source("y", (Leg("htx", "BTC/USDT", "divide"),))
    assert combine(product, tickers).price == 32
    assert combine(inverse, tickers).price == Decimal("0.125")


def test_clients_go_to_the_real_exchange_unless_redirected():
    client = make_client("htx", 5_000)
    request = client.sign("market/detail/merged", ["spot", "public"], "GET", {"symbol": "btcusdt"})
    assert request["url"] == "https://api.huobi.pro/market/detail/merged?symbol=btcusdt"
    assert make_client("kraken", 5_000).urls["api"]["public"] == "https://api.kraken.com"


def test_a_redirected_client_sends_the_same_request_to_the_replay_server():
    client = make_client("htx", 5_000, "http://127.0.0.1:8085/")
    request = client.sign("market/detail/merged", ["spot", "public"], "GET", {"symbol": "btcusdt"})
    assert request["url"] == "http://127.0.0.1:8085/htx/market/detail/merged?symbol=btcusdt"


def test_every_address_of_a_redirected_client_is_the_replay_servers():
    for exchange in ("htx", "kraken", "bitstamp", "bitvavo", "okx", "binance", "bitget"):
        urls = json.dumps(make_client(exchange, 5_000, "http://127.0.0.1:8085").urls["api"])
        assert "https://" not in urls
        assert "{hostname}" not in urls


def test_clients_keep_rate_limit_and_timeout():
    client = make_client("kraken", 1_234)
    assert (client.enableRateLimit, client.timeout) == (True, 1_234)


def test_an_unknown_exchange_is_refused():
    with pytest.raises(InvalidInput) as refused:
        make_client("no_such", 1_000)
    assert refused.value.field == "sources"


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (ccxt.RequestTimeout("GET x"), "timed out"),
        (ccxt.BadSymbol("kraken does not have market symbol"), "does not trade this symbol"),
        (ccxt.ExchangeNotAvailable("503"), "not available"),
        (ccxt.NetworkError("refused"), "can't be reached"),
        (KeyError("x"), "answer not understood"),
    ],
)
def test_errors_become_one_short_line(error, start):
    line = feeds.describe(error)
    assert line.startswith(start)
    assert "\n" not in line
    assert len(line) < 200


def test_the_recorded_htx_answer_is_the_one_that_ccxt_is_known_to_read_this_way():
    known = json.loads((Path(__file__).parent / "htx_fetch_ticker.json").read_text())
    (entry,) = [r for r in recordings("htx") if r.path == "/market/detail/merged"]
    assert json.loads(json.dumps(entry.body, default=float)) == known["httpResponse"]
    client = make_client("htx", 1_000)
    client.set_markets([])
    read = read_ticker(client.parse_ticker(known["httpResponse"]["tick"]), NOW)
    bid, ask = known["parsedResponse"]["bid"], known["parsedResponse"]["ask"]
    assert read.price == (Decimal(str(bid)) + Decimal(str(ask))) / 2
