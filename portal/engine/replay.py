"""Replaying a shard's journal: proof that its tables are what its commands make of nothing.

Compared are the shard's memory, and row by row every order, trade, transfer and event that there
is in the tables. Batches are joined or split at will: only the order of commands counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, cast

import orjson

from portal.core.hashchain import START, link
from portal.engine import store
from portal.engine.apply import apply
from portal.engine.columns import field_names, json_text
from portal.engine.commands import parse_command
from portal.engine.loading import read_journal, read_state
from portal.engine.rows import EventRow, TransferRow
from portal.engine.state import ShardState, plain
from portal.orders.rules import OrderState
from portal.trades.rules import TradeState

_MOST = 20


@dataclass
class Replayed:
    """What the journal alone gives: the memory, and every row ever written."""

    state: ShardState
    orders: dict[int, Any] = field(default_factory=dict)
    trades: dict[int, Any] = field(default_factory=dict)
    transfers: list[TransferRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)

    def keep(self) -> None:
        """Take over what the state has changed since the last time."""
        changes = self.state.take_changes()
        self.orders |= {id_: plain(order) for id_, order in changes.orders.items()}
        self.trades |= {id_: plain(trade) for id_, trade in changes.trades.items()}
        self.transfers += changes.transfers
        self.events += changes.events


def replay(connection: store.Connection, shard: str) -> Replayed:
    """Everything that the journal alone gives. Raises ValueError where its chain is broken."""
    row = connection.execute("SELECT number FROM shard WHERE name = %s", (shard,)).fetchone()
    replayed, previous = Replayed(ShardState(shard, row[0] if row else 0)), START
    with connection.transaction():
        for batch in read_journal(connection, shard):
            if batch.previous != previous or link(previous, batch.commands) != batch.hash:
                raise ValueError(f"the journal's chain breaks at sequence {batch.first_seq}")
            previous = batch.hash
            apply_batch(replayed.state, batch.commands)
            replayed.keep()
    return replayed


def apply_batch(state: ShardState, commands: bytes) -> None:
    """Apply a journalled batch. Raises ValueError where a command does not replay as it ran."""
    for seq, at_ms, raw in orjson.loads(commands):
        apply(state, parse_command(raw), at_ms)
        if state.seq != seq:
            raise ValueError(f"command {seq} of the journal replays as {state.seq}")


def differences(connection: store.Connection, shard: str) -> list[str]:
    """Where the tables differ from a replay of the journal; empty when they are equal."""
    try:
        replayed = replay(connection, shard)
    except ValueError as error:
        return [str(error)]
    memory = replayed.state.snapshot()
    stored = read_state(connection, shard).snapshot()
    found = [
        f"{part}: the journal gives {_first_difference(memory[part], stored[part])}"
        for part in memory
        if memory[part] != stored[part]
    ]
    with connection.transaction():
        for table, rows, columns in _tables(replayed):
            found += _compare(connection, shard, table, rows, columns)
    return found[:_MOST]


def _tables(replayed: Replayed) -> Iterator[tuple[str, Iterator[Iterable[Any]], Sequence[str]]]:
    for table, rows, kind in (
        ("order", replayed.orders, OrderState),
        ("trade", replayed.trades, TradeState),
    ):
        names = field_names(kind)
        yield table, _picked(rows, names), names
    yield "transfer", iter(replayed.transfers), field_names(TransferRow)
    yield "audit_event", iter(replayed.events), field_names(EventRow)


def _picked(rows: dict[int, Any], names: Sequence[str]) -> Iterator[Sequence[Any]]:
    return ([row[name] for name in names] for _, row in sorted(rows.items()))


def _compare(
    connection: store.Connection,
    shard: str,
    table: str,
    rows: Iterator[Iterable[Any]],
    columns: Sequence[str],
) -> Iterator[str]:
    names = ", ".join(f'"{name}"' for name in columns)
    where, order = ("shard", "id") if table != "audit_event" else ("stream", "seq")
    value = shard if where == "shard" else store.stream_name(shard)
    query = f'SELECT {names} FROM "{table}" WHERE {where} = %s ORDER BY {order}'  # noqa: S608
    with connection.cursor(name=f"compare_{table}") as cursor:
        cursor.execute(cast(Any, query), (value,))
        for wanted, stored in zip_longest(map(_text, rows), map(_text, cursor)):
            if wanted != stored:
                yield f"{table}: the journal gives {wanted}, the table holds {stored}"
                return


def _text(row: Iterable[Any]) -> str:
    return json_text(list(row))


def _first_difference(replayed: Any, stored: Any) -> str:
    if not isinstance(replayed, dict) or not isinstance(stored, dict):
        return f"{replayed}, the tables hold {stored}"
    for key in sorted({*replayed, *stored}, key=str):
        if replayed.get(key) != stored.get(key):
            return f"{key} = {replayed.get(key)}, the tables hold {stored.get(key)}"
    return "the same"
