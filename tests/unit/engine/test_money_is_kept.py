"""Random histories through the engine's rules: no sequence loses or creates a unit."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core.errors import PortalError
from portal.engine.apply import apply
from portal.engine.commands import parse_command
from portal.engine.state import ShardState
from portal.ledger.rules import AccountKey
from tests.factories.engine import USDT, define_market, deposit, place_order

PEOPLE = (1, 2, 3)
people = st.sampled_from(PEOPLE)
sizes = st.integers(1, 120).map(lambda n: n * USDT)
prices = st.integers(9000, 9400)
trade_ids = st.integers(0, 5)
fees = st.integers(0, 2 * USDT)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    quantity = draw(sizes)
    order = place_order(
        owner=draw(people),
        side=draw(st.sampled_from(["buy", "sell"])),
        quantity=quantity,
        price=draw(prices),
        tif=draw(st.sampled_from(["GTC", "GTC", "IOC", "FOK"])),
        stp=draw(st.sampled_from(["cancel_newest", "cancel_oldest", "cancel_both"])),
        shared=draw(st.integers(0, 3)) == 0,
        hours=draw(st.sampled_from([[], [], [], [[0, 5000]]])),
        quote_set=draw(st.sampled_from([None, "ladder"])),
        methods=draw(st.sampled_from([["sepa"], ["pix"], ["sepa", "pix"]])),
        max_fee_bps=draw(st.sampled_from([0, 1, 33, 100])),
        min_trade=draw(st.sampled_from([None, USDT])),
    )
    kind = draw(st.sampled_from(["fixed", "floating", "market"]))
    if kind == "floating":
        order.update(price_kind="floating", price=None, margin_bps=draw(st.integers(-300, 300)))
    if kind == "market":
        order.update(order_type="market", price=None)
    elif order["tif"] == "GTC":
        order["post_only"] = draw(st.integers(0, 6)) == 0
    return order


def _quote(order: dict[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in order.items() if n not in ("kind", "owner", "market", "quote_set")}


def on_trade(kind: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind), "pick": trade_ids, **parts})


commands = st.one_of(
    orders(),
    st.builds(deposit, people, sizes),
    st.fixed_dictionaries(
        {
            "kind": st.just("withdraw"),
            "owner": people,
            "asset": st.just("USDT"),
            "units": sizes,
            "reference": st.just("out"),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("index_tick"),
            "market": st.just("USDT-EUR"),
            "price": st.one_of(st.none(), prices),
        }
    ),
    st.fixed_dictionaries({"kind": st.just("cancel_order"), "pick_order": trade_ids}),
    st.fixed_dictionaries({"kind": st.just("cancel_all"), "owner": people}),
    st.fixed_dictionaries({"kind": st.just("set_away"), "owner": people, "away": st.booleans()}),
    st.fixed_dictionaries({"kind": st.just("clock_tick")}),
    st.fixed_dictionaries(
        {
            "kind": st.just("pause_order"),
            "pick_order": trade_ids,
            "owner": people,
            "paused": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("amend_order"),
            "pick_order": trade_ids,
            "owner": people,
            "remaining": sizes | st.none(),
            "price": prices | st.none(),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("mass_quote"),
            "owner": people,
            "market": st.just("USDT-EUR"),
            "quote_set": st.just("ladder"),
            "quotes": st.lists(orders().map(_quote), max_size=3),
        }
    ),
    st.sampled_from(["open", "auction", "halted"]).map(lambda name: define_market(status=name)),
    on_trade(
        "clear_trade",
        decision=st.sampled_from(["allow", "allow", "allow", "hold", "deny"]),
        maker_fee=fees,
        taker_fee=fees,
    ),
    on_trade("escrow_locked", reference=st.just("lock")),
    on_trade("lock_failed", reason=st.just("no gas")),
    on_trade("mark_paid", actor=people),
    on_trade("verify_payment", reference=st.just("line")),
    on_trade("release", actor=people),
    on_trade("cancel_trade", actor=people),
    on_trade("expire"),
    on_trade("dispute", actor=people, reason=st.just("?")),
    on_trade(
        "resolve",
        outcome=st.sampled_from(["buyer", "seller", "split"]),
        to_buyer=st.integers(0, 100 * USDT),
        actor=st.just(99),
    ),
    on_trade("settled", reference=st.just("tx")),
)


def _choose(state: ShardState, command: dict[str, Any]) -> dict[str, Any] | None:
    """Turn "the n-th open trade" into an id; None when there is nothing to pick from."""
    for name, pool, target in (
        ("pick", state.trades, "trade_id"),
        ("pick_order", state.orders, "order_id"),
    ):
        if name in command:
            if not pool:
                return None
            command = {**command, target: sorted(pool)[command[name] % len(pool)]}
            del command[name]
    return command


def _check(state: ShardState, outside: int) -> None:
    assert sum(account.balance for account in state.accounts.values()) == 0
    assert state.balance(AccountKey(0, "USDT", "outside")) == -outside
    for person in PEOPLE:
        open_orders = sum(o.held for o in state.orders.values() if o.owner_id == person)
        mine = [t for t in state.trades.values() if t.seller_id == person]
        reserved = sum(t.reserved for t in mine if not t.locked)
        locked = sum(t.escrow_units for t in mine if t.locked)
        assert state.balance(AccountKey(person, "USDT", "held")) == open_orders + reserved
        assert state.balance(AccountKey(person, "USDT", "escrow")) == locked


@settings(max_examples=300, deadline=None)
@given(history=st.lists(commands, min_size=20, max_size=80))
def test_no_history_loses_or_creates_a_unit(history: list[dict[str, Any]]) -> None:
    state, at_ms, outside = ShardState("test"), 0, 0
    for command in (define_market(), *(deposit(person) for person in PEOPLE), *history):
        chosen = _choose(state, command)
        if chosen is None:
            continue
        at_ms += 600_000
        before = state.snapshot()
        try:
            apply(state, parse_command(chosen), at_ms)
        except PortalError:
            assert state.snapshot() == before
            continue
        if chosen["kind"] in ("deposit", "withdraw"):
            outside += chosen["units"] * (1 if chosen["kind"] == "deposit" else -1)
        _check(state, outside)
