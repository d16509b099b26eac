"""A shard's memory at one moment, stored: so that a start need not read everything.

A snapshot is a few rows of `engine_snapshot`: a head and chunks of columns, as MessagePack. Texts
and lists are stored once a chunk, so that equal ones share their memory when they are read back.
It is written beside the leader, never by it, and is only ever a shortcut: the tables and the
journal are the truth, and a snapshot that is damaged or of other code is passed over.
"""

import gc
import hashlib
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec
import structlog

from portal.engine.accounts import AccountState
from portal.engine.columns import field_names
from portal.engine.connection import Connection
from portal.engine.state import MarketInShard, ShardState
from portal.ledger.rules import AccountKey
from portal.orders.conditions import Conditions, Facts
from portal.orders.rules import ORDER_FIELDS, MarketTerms, OrderState, order_of
from portal.trades.rules import TradeState

FORMAT = 1
KEPT = 3
CHUNK_ROWS = 50_000
_log = structlog.get_logger("engine")
_ORDER_FIELDS = tuple(ORDER_FIELDS)
_TRADE_FIELDS = field_names(TradeState)
_ACCOUNT_FIELDS = ("owner_id", "asset", "kind", "id", "balance")
_MARKET_FIELDS = ("index_ticks", "index_at_ms", "index_reason", "quote_id", "index_until_ms")
# Another version of the code may keep other fields: it can't read this one's rows.
_SHAPE = hashlib.sha256(
    repr(
        (
            _ORDER_FIELDS,
            _TRADE_FIELDS,
            _ACCOUNT_FIELDS,
            field_names(MarketTerms),
            field_names(Conditions),
            field_names(Facts),
        )
    ).encode()
).hexdigest()
_Column = tuple[list[Any], bytes | None, str]


class Damaged(Exception):
    """A snapshot that can't be used; the message says why."""


class _Head(msgspec.Struct, array_like=True):
    """The first part: what is not in rows, and how many rows there are."""

    shape: str
    number: int
    seq: int
    next_id: int
    at_ms: int
    markets: list[tuple[dict[str, Any], list[Any]]]
    orders: int
    trades: int
    accounts: int


class _Chunk(msgspec.Struct, array_like=True):
    """Some rows of one kind, by columns."""

    kind: str
    rows: int
    columns: list[_Column]


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """Which snapshots there are."""

    seq: int
    journal_hash: str


def write(connection: Connection, state: ShardState, journal_hash: str) -> int:
    """Store the state as it is, and drop all but the newest KEPT; returns the bytes written.

    `journal_hash` is the hash of the journal's batch that ends at the state's seq.
    """
    written = 0
    with connection.transaction():
        # Losing a snapshot in a crash of the database loses nothing.
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute(
            "DELETE FROM engine_snapshot WHERE shard = %s AND seq = %s", (state.name, state.seq)
        )
        for part, body in enumerate(_parts(state)):
            data = _sealed(state.name, state.seq, part, body)
            connection.execute(
                "INSERT INTO engine_snapshot (shard, seq, part, journal_hash, format, data, at)"
                " VALUES (%s, %s, %s, %s, %s, %b, clock_timestamp())",
                (state.name, state.seq, part, journal_hash, FORMAT, data),
            )
            written += len(data)
        connection.execute(
            "DELETE FROM engine_snapshot WHERE shard = %s AND seq < (SELECT min(seq) FROM"
            " (SELECT DISTINCT seq FROM engine_snapshot WHERE shard = %s"
            " ORDER BY seq DESC LIMIT %s) AS kept)",
            (state.name, state.name, KEPT),
        )
    return written


def stored(connection: Connection, shard: str) -> list[SnapshotRow]:
    """The shard's snapshots of this format, newest first."""
    rows = connection.execute(
        "SELECT DISTINCT seq, journal_hash FROM engine_snapshot"
        " WHERE shard = %s AND format = %s ORDER BY seq DESC",
        (shard, FORMAT),
    )
    return [SnapshotRow(*row) for row in rows]


def read(connection: Connection, shard: str, seq: int) -> ShardState:
    """The state of a snapshot. Raises Damaged."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(
            "SELECT part, data FROM engine_snapshot WHERE shard = %s AND seq = %s AND format = %s"
            " ORDER BY part",
            (shard, seq, FORMAT),
        )
        bodies = [_opened(shard, seq, part, data) for part, (_, data) in enumerate(rows.fetchall())]
    try:
        with _no_collection():
            return _state_of(shard, bodies)
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
        raise Damaged(f"{type(error).__name__}: {error}") from error


def _sealed(shard: str, seq: int, part: int, body: bytes) -> bytes:
    return _digest(shard, seq, part, body) + body


def _opened(shard: str, seq: int, part: int, data: bytes) -> bytes:
    digest, body = data[:32], data[32:]
    if digest != _digest(shard, seq, part, body):
        raise Damaged(f"part {part} does not match its hash")
    return body


def _digest(shard: str, seq: int, part: int, body: bytes) -> bytes:
    return hashlib.sha256(f"{shard}\n{seq}\n{part}\n".encode() + body).digest()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Making millions of objects, none of them garbage, would have the collector walk them all."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _parts(state: ShardState) -> Iterator[bytes]:
    head = _Head(
        _SHAPE,
        state.number,
        state.seq,
        state.next_id,
        state.at_ms,
        [
            (msgspec.to_builtins(market.terms), [getattr(market, name) for name in _MARKET_FIELDS])
            for market in state.markets.values()
        ],
        len(state.orders),
        len(state.trades),
        len(state.accounts),
    )
    encode = msgspec.msgpack.Encoder().encode
    yield encode(head)
    accounts = ((*key, account.id, account.balance) for key, account in state.accounts.items())
    kinds: tuple[tuple[str, Iterable[Any], Callable[[Sequence[Any]], list[list[Any]]]], ...] = (
        ("accounts", accounts, lambda rows: [list(column) for column in zip(*rows, strict=True)]),
        ("trades", state.trades.values(), _attributes(_TRADE_FIELDS)),
        ("orders", (o for _, o in sorted(state.orders.items())), _attributes(_ORDER_FIELDS)),
    )
    for kind, rows, columns_of in kinds:
        waiting = iter(rows)
        while chunk := list(islice(waiting, CHUNK_ROWS)):
            columns = [_packed(column) for column in columns_of(chunk)]
            yield encode(_Chunk(kind, len(chunk), columns))


def _attributes(names: Sequence[str]) -> Callable[[Sequence[Any]], list[list[Any]]]:
    getters = [attrgetter(name) for name in names]
    return lambda rows: [list(map(get, rows)) for get in getters]


def _packed(column: list[Any]) -> _Column:
    """Numbers as they are; anything else as a list of what there is and a code a row."""
    sample = next((value for value in column if value is not None), None)
    if sample is None and column:
        return [None], b"", ""
    if isinstance(sample, int):
        return column, None, ""
    if plain := _PLAIN.get(type(sample)):
        column = [None if value is None else plain(value) for value in column]
    codes = {value: code for code, value in enumerate(dict.fromkeys(column))}
    size = "B" if len(codes) <= 256 else "I"
    return list(codes), array(size, map(codes.__getitem__, column)).tobytes(), size


def _unpacked(column: _Column, rows: int, revive: Callable[[Any], Any] | None) -> list[Any]:
    table, codes, size = column
    if codes is None:
        return table
    if revive is not None:
        table = [None if value is None else revive(value) for value in table]
    if not size:
        return table * rows
    return list(map(table.__getitem__, array(size, codes)))


def _state_of(shard: str, bodies: list[bytes]) -> ShardState:
    if not bodies:
        raise Damaged("it has no parts")
    head = msgspec.msgpack.decode(bodies[0], type=_Head)
    if head.shape != _SHAPE:
        raise Damaged("it was written by another version")
    found: dict[str, list[Any]] = {kind: [] for kind in _MAKE}
    decode = msgspec.msgpack.Decoder(_Chunk).decode
    for body in bodies[1:]:
        chunk = decode(body)
        found[chunk.kind] += _MAKE[chunk.kind](_columns_of(chunk))
    if [len(rows) for rows in found.values()] != [head.orders, head.trades, head.accounts]:
        raise Damaged("rows are missing")
    state = ShardState(shard, head.number)
    state.seq, state.next_id, state.at_ms = head.seq, head.next_id, head.at_ms
    markets = [MarketInShard(MarketTerms(**terms), *index) for terms, index in head.markets]
    state.restore(markets=markets, **found)
    return state


def _columns_of(chunk: _Chunk) -> list[list[Any]]:
    names = _ORDER_FIELDS if chunk.kind == "orders" else ()
    revive = [_REVIVE.get(name) for name in names] or [_text] * len(chunk.columns)
    return [
        _unpacked(column, chunk.rows, how)
        for column, how in zip(chunk.columns, revive, strict=True)
    ]


def _orders(columns: list[list[Any]]) -> list[OrderState]:
    return list(map(order_of, zip(*columns, strict=True)))


def _trades(columns: list[list[Any]]) -> list[TradeState]:
    return list(map(TradeState, *columns))


def _accounts(columns: list[list[Any]]) -> list[tuple[AccountKey, AccountState]]:
    keys = map(AccountKey, *columns[:3])
    return list(zip(keys, map(AccountState, *columns[3:]), strict=True))


_MAKE: dict[str, Callable[[list[list[Any]]], list[Any]]] = {
    "orders": _orders,
    "trades": _trades,
    "accounts": _accounts,
}


def _text(value: Any) -> Any:
    return sys.intern(value) if isinstance(value, str) else value


def _conditions(values: list[Any]) -> Conditions:
    fields = dict(zip(field_names(Conditions), values, strict=True))
    return Conditions(**{**fields, "regions": tuple(fields["regions"])})


# How a value that is neither number nor text is told from others and stored, and made again.
_PLAIN: dict[type, Callable[[Any], Any]] = {
    dict: lambda value: tuple(value.items()),
    Conditions: attrgetter(*field_names(Conditions)),
    Facts: attrgetter(*field_names(Facts)),
}
_REVIVE: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_ORDER_FIELDS, _text),
    "methods": tuple,
    "accounts": dict,
    "hours": lambda spans: tuple((start, end) for start, end in spans),
    "conditions": _conditions,
    "facts": lambda values: Facts(*values),
}
