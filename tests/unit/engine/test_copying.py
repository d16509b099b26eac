"""Rows by straight code are what PostgreSQL's manual makes of them, value by value."""

import re
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.audit.models import AuditEvent
from portal.core.db import Base
from portal.core.hashchain import START, event_hash
from portal.engine.accounts import AccountState
from portal.engine.columns import Columns
from portal.engine.copying.events import event_copy
from portal.engine.copying.keys import key_copy
from portal.engine.copying.ledger import account_copy, transfer_copy
from portal.engine.copying.orders import ORDER_SELDOM, order_copy
from portal.engine.copying.trades import TRADE_SELDOM, trade_copy
from portal.engine.rows import EventRow, TransferRow
from portal.engine.store import Copy
from portal.engine.updating import ORDER_CHANGING, order_arrays
from portal.ledger.models import Account, Transfer
from portal.ledger.rules import AccountKey
from portal.orders.conditions import Conditions, Facts
from portal.orders.models import Order
from portal.orders.rules import ORDER_FIELDS, OrderState
from portal.trades.models import Trade
from portal.trades.rules import TRADE_FIELDS, State, TradeState
from tests.unit.engine.plain_lines import plain_rows, plain_value

SHARD = "a\tshard"
NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.one_of(
    st.sampled_from(["plain", "a\tb", "c\nd", "e\rf", "g\\h", "\\N", "", '"', "NULL", "ünï ✓ 😀"]),
    st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)
# How a value of each stored kind is made; JSON columns by name.
KINDS: dict[type, st.SearchStrategy[Any]] = {int: NUMBERS, str: TEXTS, bool: st.booleans()}
JSON: dict[str, st.SearchStrategy[Any]] = {
    "methods": st.lists(TEXTS, max_size=3).map(tuple),
    "accounts": st.dictionaries(TEXTS, NUMBERS, max_size=3),
    "hours": st.lists(st.tuples(NUMBERS, NUMBERS), max_size=2).map(tuple),
    "conditions": st.builds(Conditions, *[NUMBERS] * 5, st.tuples(TEXTS)) | st.none(),
    "facts": st.builds(Facts, *[NUMBERS] * 4, TEXTS) | st.none(),
}


def _fields(
    kinds: dict[str, type], model: type[Base], unsaid: Sequence[str] = ()
) -> dict[str, st.SearchStrategy[Any]]:
    columns = model.__table__.columns
    fields = {
        name: KINDS[kind] | st.none() if columns[name].nullable else KINDS[kind]
        for name, kind in kinds.items()
        if kind is not dict
    }
    said = fields if len(fields) == len(kinds) else fields | JSON
    return said | dict.fromkeys(unsaid, st.none())


ORDERS = st.builds(OrderState, **_fields(ORDER_FIELDS, Order)) | st.builds(
    OrderState, **_fields(ORDER_FIELDS, Order, ORDER_SELDOM)
)
TRADES = st.builds(TradeState, **_fields(TRADE_FIELDS, Trade)) | st.builds(
    TradeState, **_fields(TRADE_FIELDS, Trade, TRADE_SELDOM)
)
TRANSFERS = st.builds(
    TransferRow,
    *(NUMBERS, NUMBERS, NUMBERS, TEXTS, *[NUMBERS] * 5),
    *(NUMBERS | st.none(), NUMBERS | st.none(), TEXTS | st.none()),
)
EVENTS = st.builds(
    EventRow, NUMBERS, TEXTS, TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS | NUMBERS, max_size=3)
)


@given(orders=st.lists(ORDERS, min_size=1, max_size=4), repeated=st.booleans())
@settings(max_examples=300, deadline=None)
def test_orders_of_any_values(orders: list[OrderState], repeated: bool) -> None:
    rows = orders * 2 if repeated else orders
    assert _values(order_copy(SHARD, rows), Order) == plain_rows(Order, rows, list(ORDER_FIELDS))


@given(trades=st.lists(TRADES, min_size=1, max_size=4), repeated=st.booleans())
@settings(max_examples=300, deadline=None)
def test_trades_of_any_values(trades: list[TradeState], repeated: bool) -> None:
    rows = trades * 2 if repeated else trades
    assert _values(trade_copy(SHARD, rows), Trade) == plain_rows(Trade, rows, list(TRADE_FIELDS))


def test_a_state_of_the_table_is_written_as_its_text() -> None:
    values = {name: 1 if kind is int else "x" for name, kind in TRADE_FIELDS.items()}
    trade = TradeState(**{**values, "state": State.MATCHED, "locked": False, "settled": True})
    (row,) = _values(trade_copy(SHARD, [trade]), Trade)
    assert (row["state"], row["locked"], row["settled"]) == ("matched", "f", "t")


@given(rows=st.lists(TRANSFERS, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_transfers_of_any_values(rows: list[TransferRow]) -> None:
    names = list(TransferRow._fields)
    assert _values(transfer_copy(SHARD, rows), Transfer) == plain_rows(Transfer, rows, names)


@given(owner=NUMBERS, asset=TEXTS, kind=TEXTS, id_=NUMBERS, balance=NUMBERS)
@settings(max_examples=100, deadline=None)
def test_accounts_of_any_values(owner: int, asset: str, kind: str, id_: int, balance: int) -> None:
    copy = account_copy(SHARD, [(AccountKey(owner, asset, kind), AccountState(id_, balance))])
    row = Account(id=id_, owner_id=owner, asset=asset, kind=kind, balance=balance)
    names = ["id", "owner_id", "asset", "kind", "balance"]
    assert _values(copy, Account) == plain_rows(Account, [row], names)


@given(keys=st.lists(st.tuples(TEXTS, NUMBERS), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_keys_of_any_text(keys: list[tuple[str, int]]) -> None:
    (_, lines) = key_copy(SHARD, 7, keys)
    assert [row[2] for row in _cells(lines)] == [plain_value(key) for key, _ in keys]


@given(events=st.lists(EVENTS, min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_events_are_chained_as_the_verifier_counts(events: list[EventRow]) -> None:
    copy, last = event_copy(SHARD, 5, START, events)
    previous, seqs, hashes = START, range(6, 6 + len(events)), []
    for seq, event in zip(seqs, events, strict=True):
        previous = event_hash(previous, stream=SHARD, seq=seq, **event._asdict())
        hashes.append(previous)
    rows = _values(copy, AuditEvent)
    assert last == hashes[-1]
    assert [row["hash"] for row in rows] == hashes
    assert [row["seq"] for row in rows] == [str(seq) for seq in seqs]
    names = list(EventRow._fields)
    shown = [{name: row[name] for name in names} for row in rows]
    assert shown == plain_rows(AuditEvent, events, names)


@given(orders=st.lists(ORDERS, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_changed_orders_of_any_values(orders: list[OrderState]) -> None:
    assert order_arrays(orders) == Columns(Order, ORDER_CHANGING).arrays(orders)


def _values(copy: Copy, model: type[Base]) -> list[dict[str, str]]:
    """What PostgreSQL gets for each column but the shard, NULL for those that are not named."""
    statement, lines = copy
    names = re.findall(r"\w+", statement[statement.index("(") : statement.index(")")])
    nothing = {name: "\\N" for name, column in model.__table__.columns.items() if column.nullable}
    rows = []
    for cells in _cells(lines):
        row = nothing | dict(zip(names, cells, strict=True))
        assert row.pop("stream" if model is AuditEvent else "shard") == plain_value(SHARD)
        rows.append(row)
    return rows


def _cells(lines: bytes) -> list[list[str]]:
    return [line.split("\t") for line in lines.decode().removesuffix("\n").split("\n")]
