"""The quick way to decide about plain orders says what the usual way says, or nothing."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.api.reading import parse_json, validate
from portal.core.db import Database
from portal.core.errors import Forbidden, NotFound, PortalError
from portal.core.money import Asset
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.engine.client import EngineClient
from portal.engine.stream_client import StreamClient
from portal.gateway.compliance import Compliance, Size, Sort
from portal.gateway.orders import Orders
from portal.gateway.plain import plain_bodies, plain_body
from portal.gateway.records import Known, Missing, Records, Switches, Terms
from portal.orders.draft import read_draft, size_fits
from portal.orders.frame import Frame
from portal.orders.person import Person
from portal.orders.service import OrderDesk
from portal.orders.shapes import OrderBody, wanted_order
from portal.plugin_api import Decision, Verdict
from portal.plugin_host.host import PluginHost
from portal.users.signing import TRADE, LiveKey

JSON = "application/json"
NAME = "name-0001"
TERMS = Terms(
    "USDT-EUR", 4, 10_000, 1_000_000, 50_000 * 10**6, "ledger", "trade", "open", 500, 0, 100,
    ["sepa", "pix"],
)  # fmt: skip
FRAME = Frame(TERMS, Asset("USDT", 6), Asset("EUR", 2), 9_900)
FACTS = {"tier": 2, "trades": 3, "completion_bps": 9_000, "since_ms": 5, "region": "DE"}
KEY = LiveKey("0123456789abcdef", 7, b"s", None, frozenset([TRADE]), (), 500)
LARGEST_ALLOWED = 1_000 * 10**6


class Facts(Records):
    """Records whose tables are these attributes."""

    frame_now = FRAME
    person_now = Known(Person(False, {44: "sepa", 45: "pix"}), FACTS)
    switches_now = Switches(frozenset(["sepa", "pix"]), 60.0)

    def _read_frame(self, market_id: str) -> Frame | Missing:
        return self.frame_now if market_id == TERMS.id else Missing()

    def _read_person(self, user_id: int) -> Known:
        return self.person_now

    def _read_switches(self, _: str) -> Switches:
        return self.switches_now


class SmallOnly(Compliance):
    """Rules that deny large orders."""

    def _ask_now(self, sort: Sort, size: Size) -> Decision:
        large = size.quantity > LARGEST_ALLOWED
        return Decision(Verdict.DENY if large else Verdict.ALLOW, "too large" if large else "")


class Door:
    """A gateway's decisions, without requests and without an engine."""

    def __init__(self) -> None:
        options = Settings(_env_file=None, database_url="postgresql://nobody@127.0.0.1:1/none")
        self.loop = asyncio.new_event_loop()
        self.threads = ThreadPoolExecutor(1)
        self.loop.run_until_complete(self._begin(options))

    async def _begin(self, options: Settings) -> None:
        database, sealer = Database(options.required_database_url), Sealer("m" * 32)
        plugins = PluginHost(options, database)
        self.records = Facts(database, sealer, plugins, self.threads, lambda: True)
        compliance = SmallOnly(database, plugins, self.threads)
        desk = OrderDesk(options, database, EngineClient(options), plugins, sealer)
        self.orders = Orders(
            options, sealer, desk, self.records, compliance, StreamClient(options), self.threads
        )

    def usual(self, raw: bytes, name: str = NAME) -> dict[str, Any] | PortalError:
        """The command of an order decided the usual way, or its refusal."""
        try:
            body = validate(OrderBody, parse_json(raw, JSON))
            ready = self.loop.run_until_complete(
                self.orders._decide(KEY, body, body.client_id or name)
            )
        except PortalError as refusal:
            return refusal
        return dict(orjson.loads(ready.command))

    def quick(self, raw: bytes, name: str = NAME) -> bytes | None:
        """The command of an order decided quickly; None when it is for the usual way."""

        async def work() -> bytes | None:
            body = plain_body(raw)
            ready = body and self.orders.decide_plain(KEY, body, body.client_id or name)
            return ready.command if ready else None

        return self.loop.run_until_complete(work())

    def close(self) -> None:
        self.threads.shutdown()
        self.loop.close()


@pytest.fixture(scope="module")
def shared_door() -> Iterator[Door]:
    door = Door()
    yield door
    door.close()


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.close()


def order(**changes: Any) -> dict[str, Any]:
    body = {
        "market": "USDT-EUR", "side": "sell", "order_type": "limit", "price": "0.99",
        "quantity": "20", "methods": ["sepa"], "payment_accounts": {"sepa": 44}, **changes,
    }  # fmt: skip
    return {name: value for name, value in body.items() if value is not ...}


NUMBERS = st.one_of(
    st.decimals(0, 2_000, places=4).map(str),
    st.sampled_from(
        ["20.00", "", "0", "-1", "1.", ".5", "1e3", "1.00005", "9" * 19, "9" * 30, "1" * 31,
         "00020",
         "2.0000000000000000", "1,5", "NaN", " 1", "1\n", "٣", "20\x00", 20, 1.5, None, True, ...]
    ),
)  # fmt: skip
NUMBER_OR_USUAL = st.one_of(st.just("20"), NUMBERS)
BODIES = st.fixed_dictionaries(
    {
        "market": st.sampled_from(["USDT-EUR"] * 8 + ["DOGE-EUR", "", "x" * 41, None, ..., 7]),
        "side": st.sampled_from(["sell", "buy"] * 6 + ["both", "", None, ...]),
        "order_type": st.sampled_from(["limit"] * 9 + ["market", "stop", None, ...]),
        "price": NUMBER_OR_USUAL,
        "quantity": NUMBER_OR_USUAL,
        "methods": st.sampled_from(
            [["sepa"]] * 8
            + [["pix", "sepa"], ["sepa", "sepa"], [], ["cash"], ["SEPA"], "sepa", None, [None], ...]
        ),
        "payment_accounts": st.sampled_from(
            [{"sepa": 44}] * 8
            + [{"sepa": 44, "pix": 45}, {"pix": 45, "sepa": 44}, {"sepa": 45}, {"sepa": "44"}]
            + [{"sepa": 44.0}, {"sepa": True}, {"sepa": 0}, {"sepa": 2**63}, {}, None, [], ...]
        ),
    },
    optional={
        "price_kind": st.sampled_from(["fixed", "fixed", "floating", None]),
        "tif": st.sampled_from(["GTC", "IOC", "FOK", "GTD", "gtc", None]),
        "post_only": st.sampled_from([True, False, None, 1, "true"]),
        "shared": st.sampled_from([True, False, None, 0]),
        "stp": st.sampled_from(["cancel_newest", "cancel_oldest", "cancel_both", "none"]),
        "client_id": st.sampled_from(["a", "x" * 64, "x" * 65, "", "a b", "é", 'a"', "a\n", None]),
        "private": st.booleans(),
        "min_trade": NUMBERS,
        "margin_bps": st.sampled_from([None, 5]),
        "colour": st.just("red"),
        "expires_at": st.sampled_from([None, "2020-01-01T00:00:00Z"]),
    },
)


@settings(max_examples=1_500, deadline=None)
@given(BODIES)
def test_what_is_decided_quickly_is_decided_as_usual(
    shared_door: Door, content: dict[str, Any]
) -> None:
    raw = orjson.dumps({name: value for name, value in content.items() if value is not ...})
    # Whatever was learned from the orders before this one, and from itself.
    before = shared_door.quick(raw)
    usual = shared_door.usual(raw)
    for command in (before, shared_door.quick(raw)):
        if command is not None:
            assert not isinstance(usual, PortalError), usual
            assert command == orjson.dumps(usual)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_noise_is_not_plain(noise: bytes) -> None:
    assert plain_body(noise) is None
    assert plain_bodies(noise, 100) is None


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 400), st.binary(max_size=2))
def test_a_damaged_body_is_refused_or_the_same(shared_door: Door, at: int, damage: bytes) -> None:
    good = orjson.dumps(order(client_id="mine"))
    assert not isinstance(shared_door.usual(good), PortalError)
    raw = good[: at % len(good)] + damage + good[at % len(good) + 1 :]
    command, usual = shared_door.quick(raw), shared_door.usual(raw)
    if command is not None:
        assert command == orjson.dumps(usual)


def test_the_second_order_with_the_same_words_is_decided_quickly(door: Door) -> None:
    first, second = orjson.dumps(order()), orjson.dumps(order(price="1.01", quantity="7.5"))
    assert door.quick(first) is None
    assert not isinstance(door.usual(first), PortalError)
    command = orjson.loads(door.quick(second) or b"null")
    assert (command["price"], command["quantity"]) == (10_100, 7_500_000)
    assert command == door.usual(second)
    assert command["via"] == KEY.id
    assert command["via_max_open"] == 500
    assert orjson.loads(door.quick(first, "name-0002") or b"")["key"] == "gateway:7:name-0002"
    assert door.quick(first, "") is None


@pytest.mark.parametrize(
    "change",
    [
        {"frame_now": replace(FRAME, market=replace(TERMS, methods=["pix"]))},
        {"frame_now": replace(FRAME, market=replace(TERMS, price_places=2))},
        {"person_now": Known(Person(False, {45: "pix"}), FACTS)},
        {"person_now": Known(Facts.person_now.person, {**FACTS, "tier": 0})},
        {"switches_now": Switches(frozenset(["pix"]), 60.0)},
    ],
)
def test_what_changes_is_not_decided_from_what_was(door: Door, change: dict[str, Any]) -> None:
    raw = orjson.dumps(order())
    door.usual(raw)
    assert door.quick(raw) is not None
    for name, value in change.items():
        setattr(door.records, name, value)
    door.records.clear()
    assert door.quick(raw) is None
    usual = door.usual(raw)
    again = door.quick(raw)
    assert (again is None) if isinstance(usual, PortalError) else again == orjson.dumps(usual)


def test_a_new_index_price_changes_no_fixed_one(door: Door) -> None:
    raw = orjson.dumps(order())
    door.usual(raw)
    door.records.frame_now = replace(FRAME, index_ticks=1)
    door.records.clear()
    for reading in (
        door.records.frame(TERMS.id), door.records.known(7), door.records.switched()
    ):  # fmt: skip
        door.loop.run_until_complete(reading)
    assert door.quick(raw) == orjson.dumps(door.usual(raw))


def test_another_key_has_patterns_of_its_own(door: Door) -> None:
    raw = orjson.dumps(order())
    door.usual(raw)
    body = plain_body(raw)
    assert body is not None
    other = replace(KEY, id="f" * 16, max_open_orders=1)
    assert door.orders.decide_plain(other, body, NAME) is None
    assert door.orders.decide_plain(replace(KEY, user_id=8), body, NAME) is None
    assert door.orders.decide_plain(replace(KEY), body, NAME) is not None


def test_what_compliance_denies_is_for_the_usual_way(door: Door) -> None:
    small, large = orjson.dumps(order()), orjson.dumps(order(quantity="2000"))
    door.usual(small)
    assert door.quick(large) is None
    assert isinstance(door.usual(large), Forbidden)
    assert door.quick(large) is None
    assert door.quick(small) is not None


def test_rules_that_see_every_order_are_asked_for_every_order(door: Door) -> None:
    door.records.switches_now = Switches(frozenset(["sepa"]), 0.0)
    raw = orjson.dumps(order())
    assert not isinstance(door.usual(raw), PortalError)
    assert door.quick(raw) is None


def test_a_market_that_is_gone_is_for_the_usual_way(door: Door) -> None:
    raw = orjson.dumps(order(market="GONE-EUR"))
    assert isinstance(door.usual(raw), NotFound)
    assert door.quick(raw) is None


def test_a_batch_is_plain_when_all_of_it_is() -> None:
    plain, rare = order(client_id="a"), order(min_trade="5")
    assert len(plain_bodies(orjson.dumps({"orders": [plain] * 3}), 3) or []) == 3
    for orders in ([plain] * 4, [], [plain, rare], [order(client_id="a b")], [1], None):
        assert plain_bodies(orjson.dumps({"orders": orders}), 3) is None
    assert plain_bodies(orjson.dumps({"orders": [plain], "more": 1}), 3) is None


@given(st.integers(1, 10**12), st.integers(1, 10**7), st.integers(1, 10**7))
def test_a_size_fits_when_the_usual_reader_takes_it(
    quantity: int, smallest: int, largest: int
) -> None:
    terms = replace(TERMS, lot=1, min_trade=smallest, max_trade=largest)
    frame = replace(FRAME, market=terms)
    body = validate(OrderBody, order(quantity=frame.amount(quantity)))
    try:
        read_draft(frame, wanted_order(body), 0)
    except PortalError:
        assert not size_fits(terms, quantity)
    else:
        assert size_fits(terms, quantity)
