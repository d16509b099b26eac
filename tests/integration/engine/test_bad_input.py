"""Bad input at the engine's own door: a clear refusal, nothing journalled, nobody else hurt."""

import json
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core.errors import BY_CODE
from portal.core.settings import Settings
from portal.core.units import MAX_UNITS
from portal.engine import frames, replay
from tests.factories.engine import BOB, USDT, define_market, deposit, place_order
from tests.integration.engine.raw_door import Door
from tests.integration.engine.test_server import Running
from tests.services.postgres import WorkerDatabase

pytestmark = pytest.mark.postgres
LOT = USDT // 100


class Engine:
    """An engine that all tests of this module send rubbish to, and its database."""

    def __init__(self, settings: Settings) -> None:
        self.port = settings.engine_port
        self.token = settings.engine_token.get_secret_value()
        self._database = psycopg.connect(str(settings.database_url), autocommit=True)

    def close(self) -> None:
        self._database.close()

    def door(self) -> Door:
        return Door(self.port, self.token)

    def ask(self, command: Any) -> dict[str, Any]:
        with self.door() as door:
            return door.ask(command)

    def journalled(self) -> tuple[Any, ...]:
        """The head and all that is in the journal, in short."""
        row = self._database.execute(
            "SELECT seq, next_id, journal_hash, (SELECT count(*) FROM journal) FROM shard"
        ).fetchone()
        assert row is not None
        return row

    def differences(self) -> list[str]:
        return replay.differences(self._database, "main")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    database = WorkerDatabase("_bad_input")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    chosen = Settings(
        _env_file=None,
        database_url=database.remake(),
        engine_port=port,
        var_dir=tmp_path_factory.mktemp("var"),
    )
    running = Running(chosen)
    running.wait_until_it_serves()
    engine = Engine(chosen)
    for command in (
        define_market(),
        define_market(id="USDT-BRL", quote="BRL", status="halted"),
        deposit(units=10**12),
        {"kind": "index_tick", "market": "USDT-EUR", "price": 9200},
    ):
        assert "result" in engine.ask(command)
    yield engine
    engine.close()
    running.stop()
    database.drop()


def text(**changes: str) -> bytes:
    """A deposit as JSON text in which some values are exactly what is given."""
    values = {
        "kind": '"deposit"', "owner": "1", "asset": '"USDT"', "units": "5", "reference": '"x"',
        **changes,
    }  # fmt: skip
    body = ",".join(f'"{name}":{value}' for name, value in values.items())
    return b"{" + body.encode("utf-8", "surrogateescape") + b"}"


def quote(**changes: Any) -> dict[str, Any]:
    order = place_order(**changes)
    for name in ("kind", "owner", "market"):
        order.pop(name)
    return order


def mass_quote(quotes: list[Any]) -> dict[str, Any]:
    return {
        "kind": "mass_quote", "owner": 1, "market": "USDT-EUR", "quote_set": "a", "quotes": quotes,
    }  # fmt: skip


WRONG_ORDERS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"color": "red"}, "color"),
    "negative": ({"quantity": -USDT}, "quantity"),
    "zero": ({"quantity": 0}, "quantity"),
    "10^30": ({"quantity": 10**30}, "quantity"),
    "beyond 64 bits by one": ({"quantity": MAX_UNITS + 1}, "quantity"),
    "fraction": ({"quantity": 1.5}, "quantity"),
    "float that is whole": ({"quantity": 100e6}, "quantity"),
    "number as a string": ({"quantity": "100000000"}, "quantity"),
    "true": ({"quantity": True}, "quantity"),
    "list": ({"quantity": [1]}, "quantity"),
    "null": ({"quantity": None}, "quantity"),
    "off lot": ({"quantity": 100 * USDT + 1}, "quantity"),
    "below the minimum": ({"quantity": LOT}, "quantity"),
    "fee on top overflows": ({"quantity": MAX_UNITS - MAX_UNITS % LOT}, "quantity"),
    "off tick": ({"price": 9200.5}, "price"),
    "price zero": ({"price": 0}, "price"),
    "price negative": ({"price": -1}, "price"),
    "price times quantity overflows": ({"price": 2**62, "quantity": 40_000 * USDT}, "price"),
    "no price": ({"price": None}, "price"),
    "smallest above largest": ({"min_trade": 90 * USDT, "max_trade": 50 * USDT}, "max_trade"),
    "smallest off lot": ({"min_trade": USDT + 1}, "min_trade"),
    "largest beyond the market's": ({"max_trade": 60_000 * USDT}, "max_trade"),
    "margin": ({"price_kind": "floating", "price": None, "margin_bps": 10_000}, "margin_bps"),
    "unknown side": ({"side": "sideways"}, "side"),
    "unknown market": ({"market": "USDT-XXX"}, "market"),
    "halted market": ({"market": "USDT-BRL"}, "market"),
    "unknown method": ({"methods": ["gold"]}, "methods"),
    "no method": ({"methods": []}, "methods"),
    "too many methods": ({"methods": ["sepa"] * 21}, "methods"),
    "owner zero": ({"owner": 0}, "owner"),
    "owner beyond 64 bits": ({"owner": 2**64}, "owner"),
    "fee": ({"max_fee_bps": 10_001}, "max_fee_bps"),
    "text too long": ({"market": "x" * 501}, "market"),
    "key too long": ({"key": "k" * 201}, "key"),
    "key empty": ({"key": ""}, "key"),
    "key no text": ({"key": 5}, "key"),
    "nested where a number is due": ({"accounts": {"sepa": {"a": 1}}}, "accounts[...]"),
    "too much money": ({"quantity": 49_999 * USDT, "owner": BOB}, "quantity"),
    "time beyond 64 bits": ({"tif": "GTD", "expires_ms": 2**63}, "expires_ms"),
    "offer that is not there": ({"side": "buy", "take_order": 999}, "take_order"),
}  # fmt: skip

WRONG_COMMANDS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "command"),
    "a number": (5, "command"),
    "a list": ([], "command"),
    "no kind": ({}, "kind"),
    "unknown kind": ({"kind": "steal"}, "kind"),
    "kind is a number": ({"kind": 5}, "kind"),
    "missing field": ({"kind": "deposit", "owner": 1, "asset": "USDT", "units": 1}, "reference"),
    "all coins there are": (deposit(units=MAX_UNITS), "units"),
    "more than there is": ({**deposit(units=10**15), "kind": "withdraw"}, "units"),
    "dearest price overflows": (
        {"kind": "index_tick", "market": "USDT-EUR", "price": MAX_UNITS}, "price",
    ),
    "other places": (define_market(base_places=8), "base_places"),
    "a deadline beyond all time": (define_market(payment_seconds=MAX_UNITS), "payment_seconds"),
    "too many places": (define_market(id="A-B", base_places=19), "base_places"),
    "cancel nothing": ({"kind": "cancel_order", "order_id": 999_999, "owner": 1}, "order_id"),
    "pay nothing": ({"kind": "mark_paid", "trade_id": 999_999, "actor": 1}, "trade_id"),
    "51 quotes": (mass_quote([quote()] * 51), "quotes"),
    "wrong quote": (mass_quote([quote(), quote(price="1")]), "quotes[1].price"),
    "1e999": (text(units="1e999"), "units"),
    "5,000 digits": (text(units="1" + "0" * 5000), "units"),
    "exponent": (text(units="1e3"), "units"),
    "broken UTF-8": (text(reference='"\udcff\udcfe"'), "command"),
    "surrogate as bytes": (text(reference='"\udced\udca0\udc80"'), "command"),
    "NUL, escaped": (text(reference=r'"a\u0000b"'), "command"),
    "NUL in a name": (b'{"kind":"deposit","\\u0000":1}', "command"),
    "kind twice": (b'{"kind":"withdraw",' + text()[1:], "kind"),
}  # fmt: skip


def refused(engine: Engine, command: Any, field: str) -> dict[str, Any]:
    before = engine.journalled()
    reply = engine.ask(command)
    assert engine.journalled() == before
    assert reply["id"] == 7
    assert reply["error"]["field"] == field, reply
    assert reply["error"]["code"] in BY_CODE
    error: dict[str, Any] = reply["error"]
    return error


@pytest.mark.parametrize("name", WRONG_ORDERS)
def test_a_wrong_order_is_refused_by_the_name_of_its_field(engine: Engine, name: str) -> None:
    changes, field = WRONG_ORDERS[name]
    refused(engine, place_order(**changes), field)


@pytest.mark.parametrize("name", WRONG_COMMANDS)
def test_a_wrong_command_is_refused_by_the_name_of_its_field(engine: Engine, name: str) -> None:
    command, field = WRONG_COMMANDS[name]
    refused(engine, command, field)


def test_a_change_can_not_make_an_order_larger_than_can_be_counted(engine: Engine) -> None:
    bid = place_order(owner=BOB, side="buy", price=1, quantity=10 * USDT, max_fee_bps=0)
    order_id = engine.ask(bid)["result"]["order_id"]
    sold = engine.ask(place_order(price=1, quantity=USDT, max_fee_bps=0, tif="IOC"))
    assert sold["result"]["trades"]
    change = {"kind": "amend_order", "order_id": order_id, "owner": BOB}
    refused(engine, {**change, "remaining": MAX_UNITS - MAX_UNITS % LOT}, "remaining")


def test_a_key_with_other_content_is_refused(engine: Engine) -> None:
    first = engine.ask(place_order(key="mine"))
    assert engine.ask(place_order(key="mine")) == first
    assert refused(engine, place_order(key="mine", price=9300), "key")["code"] == "conflict"
    assert refused(engine, deposit(key="mine"), "key")["code"] == "conflict"


def test_a_field_that_comes_twice_means_the_same_at_once_and_in_the_replay(engine: Engine) -> None:
    twice = text(units='5,"units":9')
    assert "result" in engine.ask(twice)
    assert engine.differences() == []


@pytest.mark.parametrize("size", [0, 101])
def test_a_frame_of_too_many_commands_is_refused_whole(engine: Engine, size: int) -> None:
    before = engine.journalled()
    with engine.door() as door:
        door.send(json.dumps({"id": 3, "commands": [place_order()] * size}).encode())
        reply = door.reply()
    assert (reply["id"], reply["error"]["field"]) == (3, "commands")
    assert engine.journalled() == before


def test_a_bad_command_among_a_hundred_is_refused_alone(engine: Engine) -> None:
    commands = [place_order()] * 99
    commands.insert(40, place_order(quantity=-1))
    with engine.door() as door:
        door.send(json.dumps({"id": 3, "commands": commands}).encode())
        results = door.reply()["results"]
    assert [at for at, one in enumerate(results) if "error" in one] == [40]


def framed(command: bytes) -> bytes:
    return b'{"id":7,"command":' + command + b"}"


NO_FRAMES: dict[str, bytes] = {
    "not JSON": b"hello",
    "a list": b"[]",
    "empty": b"",
    "id too large": b'{"id":1' + b"0" * 30 + b',"command":{"kind":"clock_tick"}}',
    "id no number": b'{"id":"7","command":{"kind":"clock_tick"}}',
    "no id": b'{"command":{"kind":"clock_tick"}}',
    "broken UTF-8": b'{"id":7,"command":"\xff\xfe"',
    "deep in the command": b'{"id":7,"command":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep in a name": b'{"id":7,"x":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "NaN": framed(text(units="NaN")),
    "Infinity": framed(text(units="-Infinity")),
    "leading zero": framed(text(units="007")),
    "no end": framed(b'{"kind":"deposit"'),
    "two values": framed(b'{"kind":"clock_tick"} {}'),
    "half a surrogate pair": framed(text(reference=r'"\ud800"')),
    "the other half": framed(text(reference=r'"\udc00x"')),
    "NUL as it is": framed(text(reference='"\x00"')),
    "line feed in a text": framed(text(reference='"a\nb"')),
    "commands no list": b'{"id":7,"commands":{}}',
}


@pytest.fixture
def usual_depth() -> Iterator[None]:
    """Python's own limit, as in an engine's process: hypothesis raises it in this one."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("usual_depth")
@pytest.mark.parametrize("name", NO_FRAMES)
def test_what_is_no_frame_ends_its_own_connection_only(engine: Engine, name: str) -> None:
    with engine.door() as other, engine.door() as door:
        assert "result" in other.ask({"kind": "clock_tick"})
        before = engine.journalled()
        door.send(NO_FRAMES[name])
        assert door.is_closed()
        assert engine.journalled() == before
        assert "error" in other.ask(place_order(quantity=-1))


@pytest.mark.parametrize(
    "header", [frames.HEADER.pack(2**32 - 1), frames.HEADER.pack(frames.MAX_FRAME + 1)]
)
def test_a_frame_that_announces_too_much_ends_the_connection(engine: Engine, header: bytes) -> None:
    with engine.door() as door:
        door.socket.sendall(header)
        assert door.is_closed()


def test_the_largest_frame_is_read_and_refused_in_words(engine: Engine) -> None:
    filling = "x" * (frames.MAX_FRAME - 1000)
    refused(engine, place_order(market=filling), "market")


def test_half_a_frame_changes_nothing(engine: Engine) -> None:
    before = engine.journalled()
    whole = json.dumps({"id": 1, "command": place_order()}).encode()
    with engine.door() as door:
        door.socket.sendall(frames.HEADER.pack(len(whole)) + whole[:-1])
        assert "error" in engine.ask(place_order(quantity=-1))
    assert engine.journalled() == before


@pytest.mark.parametrize("token", [None, "", "wrong", "\x00", "ä"])
def test_without_the_token_nothing_is_done(engine: Engine, token: str | None) -> None:
    before = engine.journalled()
    with Door(engine.port, token) as door:
        door.send(json.dumps({"id": 1, "command": place_order()}).encode())
        assert door.is_closed()
    assert engine.journalled() == before


def test_a_client_that_never_reads_is_not_read_from_and_slows_nobody(engine: Engine) -> None:
    many = json.dumps({"id": 1, "commands": [place_order(quantity=-1)] * 100}).encode()
    frame = frames.HEADER.pack(len(many)) + many
    with engine.door() as deaf, engine.door() as other:
        deaf.socket.settimeout(1.0)
        with pytest.raises((TimeoutError, ConnectionError)):
            deaf.socket.sendall(frame * 10_000)
        assert "result" in other.ask(place_order())


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)
COMMANDS: list[Callable[[], dict[str, Any]]] = [
    place_order,
    deposit,
    define_market,
    lambda: mass_quote([quote()]),
    lambda: {"kind": "amend_order", "order_id": 1, "owner": 1, "remaining": USDT},
    lambda: {"kind": "resolve", "trade_id": 1, "outcome": "split", "to_buyer": 1, "actor": 9},
]


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """A command with some of its fields replaced, dropped or added."""
    command = draw(st.sampled_from(COMMANDS))()
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(command)) | TEXTS)
        if draw(st.booleans()):
            command[name] = draw(JSON_VALUES)
        else:
            command.pop(name, None)
    return command


_FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@_FUZZ
@given(command=spoilt() | JSON_VALUES)
def test_a_spoilt_command_is_answered_and_an_error_leaves_no_trace(
    engine: Engine, command: Any
) -> None:
    before = engine.journalled()
    reply = engine.ask(command)
    if "error" in reply:
        assert reply["error"]["code"] in BY_CODE
        assert reply["error"]["code"] != "invalid_input" or reply["error"].get("field")
        assert engine.journalled() == before
    else:
        assert engine.journalled()[0] == reply["result"]["seq"]


@_FUZZ
@given(rubbish=st.binary(max_size=200), greeted=st.booleans())
def test_random_bytes_do_nothing(engine: Engine, rubbish: bytes, greeted: bool) -> None:
    before = engine.journalled()
    with Door(engine.port, engine.token if greeted else None) as door:
        door.socket.sendall(rubbish)
        door.socket.shutdown(socket.SHUT_WR)
        assert door.is_closed()
    assert engine.journalled() == before


def test_after_all_this_the_journal_replays_and_the_engine_serves(engine: Engine) -> None:
    assert "result" in engine.ask(place_order())
    assert engine.differences() == []
