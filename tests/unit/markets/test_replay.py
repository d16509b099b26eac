"""What the replay server makes of a recording."""

from decimal import Decimal

import pytest

from portal.markets.replay import EXCHANGES, level, recordings, restamped

NOW = 1_800_000_000_000


def entry(exchange, instrument):
    (found,) = [r for r in recordings(exchange) if r.instrument == instrument]
    return found


def test_every_recording_says_where_it_is_from():
    for exchange in EXCHANGES:
        assert recordings(exchange)
        for recording in recordings(exchange):
            assert recording.origin.startswith(("recorded: ", "shape of "))


def test_nothing_is_recorded_of_other_exchanges_or_other_files():
    assert recordings("../../core/settings") == ()
    assert recordings("levels") == ()


def test_levels_are_a_function_of_time_alone_and_stay_near_their_base():
    seen = {level("BTC/USDT", NOW + second * 1000) for second in range(0, 1200, 7)}
    assert len(seen) > 20
    assert all(abs(price / 73360 - 1) <= Decimal("0.0028") for price in seen)
    assert level("USDT/EUR", NOW) == level("USDT/EUR", NOW)


@pytest.mark.parametrize("at_ms", [NOW, NOW + 123_456, NOW + 900_000])
def test_crosses_agree_with_direct_pairs(at_ms):
    assert level("BTC/EUR", at_ms) == level("BTC/USDT", at_ms) * level("USDT/EUR", at_ms)


def test_times_become_the_present_in_the_recorded_unit_and_type():
    assert restamped(entry("htx", "BTC/USDT"), "htx", NOW)["ts"] == str(NOW)
    assert restamped(entry("bitstamp", "BTC/USDT"), "bitstamp", NOW)["timestamp"] == str(
        NOW // 1000
    )
    stale = restamped(entry("bitstamp", "BTC/USDT"), "bitstamp", NOW, "stale")
    assert stale["timestamp"] == str(NOW // 1000 - 600)


def test_only_times_and_prices_are_touched():
    recorded, served = entry("bitstamp", "BTC/EUR"), None
    served = restamped(recorded, "bitstamp", NOW)
    changed = {name for name in served if served[name] != recorded.body[name]}
    assert changed <= {*recorded.prices, "timestamp"}
    assert served["volume"] == recorded.body["volume"]
    assert recorded.body["timestamp"] == "1710328241"


def test_bid_is_never_above_ask_unless_asked_for():
    for exchange in EXCHANGES:
        for recording in recordings(exchange):
            if recording.instrument and exchange != "htx" and "." not in recording.bid:
                body = restamped(recording, exchange, NOW)
                assert Decimal(body[recording.bid]) <= Decimal(body[recording.ask])
                crossed = restamped(recording, exchange, NOW, "crossed")
                assert Decimal(crossed[recording.bid]) > Decimal(crossed[recording.ask])
