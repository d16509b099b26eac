"""Writing a shard: one batch of commands and all its effects are one transaction.

Plain psycopg: these are the hot tables, and every statement is written for them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson
import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads

from portal.core.hashchain import START, event_hash
from portal.engine.state import Changes, EventRow
from portal.orders.rules import OrderState
from portal.trades.rules import TradeState

set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)

Connection = psycopg.Connection[tuple[Any, ...]]
CHANNEL = "engine"
_MAX_NOTICE = 7_900
_JSON_COLUMNS = {"methods", "accounts"}


class Fenced(Exception):
    """Another engine has taken the shard over; nothing of the batch was written."""


@dataclass(slots=True)
class Head:
    """Where a shard stands: its epoch, last sequence, ids and the ends of its two chains."""

    epoch: int
    seq: int
    next_id: int
    journal_hash: str
    event_seq: int
    event_hash: str


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A batch of commands as stored."""

    first_seq: int
    last_seq: int
    at_ms: int
    commands: bytes
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class ResultRow:
    """The answer to a keyed command."""

    key: str
    seq: int
    fingerprint: str
    result: dict[str, Any]


def stream_name(shard: str) -> str:
    """The event stream of a shard."""
    return f"shard:{shard}"


def take_over(connection: Connection, shard: str) -> Head:
    """Raise the shard's epoch, so that whoever wrote before can't any more."""
    with connection.transaction():
        connection.execute(
            "INSERT INTO shard (name, epoch, seq, journal_hash, next_id) VALUES (%s, 0, 0, %s, 1)"
            " ON CONFLICT DO NOTHING",
            (shard, START),
        )
        row = connection.execute(
            "UPDATE shard SET epoch = epoch + 1 WHERE name = %s"
            " RETURNING epoch, seq, next_id, journal_hash",
            (shard,),
        ).fetchone()
        last = connection.execute(
            "SELECT seq, hash FROM audit_event WHERE stream = %s ORDER BY seq DESC LIMIT 1",
            (stream_name(shard),),
        ).fetchone()
    if row is None:
        raise Fenced(f"shard {shard} has no head")
    return Head(row[0], row[1], row[2], row[3], *(last or (0, START)))


def find_results(connection: Connection, shard: str, keys: Sequence[str]) -> list[ResultRow]:
    """Stored answers for those of `keys` that have one."""
    rows = connection.execute(
        "SELECT key, seq, fingerprint, result FROM command_result"
        " WHERE shard = %s AND key = ANY(%s)",
        (shard, list(keys)),
    )
    return [ResultRow(*row) for row in rows]


def write_batch(
    connection: Connection,
    shard: str,
    head: Head,
    journal: JournalRow,
    changes: Changes,
    results: Iterable[ResultRow],
    next_id: int,
) -> Head:
    """Write a batch and all its effects in one transaction; returns the new head.

    Raises Fenced when the head is not where this engine left it.
    """
    events, event_seq, last_hash = _chain(shard, head, changes.events)
    with connection.transaction(), connection.pipeline():
        _advance(connection, shard, head, journal, next_id)
        _insert_journal(connection, shard, head.epoch, journal)
        _upsert_changes(connection, shard, changes)
        _insert_entries(connection, shard, changes)
        _insert_events(connection, events)
        _insert_results(connection, shard, results)
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, notice(changes)))
    return Head(head.epoch, journal.last_seq, next_id, journal.hash, event_seq, last_hash)


def notice(changes: Changes) -> str:
    """What changed, for whoever shows it live: markets, and (person, what, id) triples.

    PostgreSQL takes 8,000 bytes at most; beyond that it says that anything may have changed.
    """
    markets = {*changes.markets, *(order.market_id for order in changes.orders.values())}
    people = {(order.owner_id, "order", order.id) for order in changes.orders.values()}
    for trade in changes.trades.values():
        people |= {(trade.buyer_id, "trade", trade.id), (trade.seller_id, "trade", trade.id)}
    people |= {(key.owner_id, "balance", 0) for key in changes.accounts if key.owner_id}
    text = orjson.dumps({"markets": sorted(markets), "people": sorted(people)}).decode()
    return text if len(text) < _MAX_NOTICE else '{"all":true}'


def _chain(
    shard: str, head: Head, events: list[EventRow]
) -> tuple[list[tuple[Any, ...]], int, str]:
    stream, seq, previous = stream_name(shard), head.event_seq, head.event_hash
    rows = []
    for event in events:
        seq += 1
        digest = event_hash(previous, stream=stream, seq=seq, **asdict(event))
        rows.append((stream, seq, *_event_values(event), previous, digest))
        previous = digest
    return rows, seq, previous


def _event_values(event: EventRow) -> tuple[Any, ...]:
    return event.at_ms, event.actor, event.kind, event.subject, Jsonb(event.data)


def _advance(
    connection: Connection, shard: str, head: Head, journal: JournalRow, next_id: int
) -> None:
    cursor = connection.execute(
        "UPDATE shard SET seq = %s, journal_hash = %s, next_id = %s"
        " WHERE name = %s AND epoch = %s AND seq = %s RETURNING name",
        (journal.last_seq, journal.hash, next_id, shard, head.epoch, head.seq),
    )
    if cursor.fetchone() is None:
        raise Fenced(f"shard {shard} is no longer at epoch {head.epoch}, sequence {head.seq}")


def _insert_journal(connection: Connection, shard: str, epoch: int, row: JournalRow) -> None:
    connection.execute(
        "INSERT INTO journal (shard, first_seq, last_seq, epoch, at_ms, commands, previous, hash)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            shard,
            row.first_seq,
            row.last_seq,
            epoch,
            row.at_ms,
            row.commands,
            row.previous,
            row.hash,
        ),
    )


def _upsert_changes(connection: Connection, shard: str, changes: Changes) -> None:
    with connection.cursor(row_factory=tuple_row) as cursor:
        if changes.markets:
            cursor.executemany(_MARKET_UPSERT, _market_rows(shard, changes))
        if changes.accounts:
            cursor.executemany(_ACCOUNT_UPSERT, _account_rows(shard, changes))
        if changes.orders:
            cursor.executemany(
                _ORDER_UPSERT, [_values(shard, order) for order in changes.orders.values()]
            )
        if changes.trades:
            cursor.executemany(
                _TRADE_UPSERT, [_values(shard, trade) for trade in changes.trades.values()]
            )


def _market_rows(shard: str, changes: Changes) -> list[tuple[Any, ...]]:
    return [
        (
            market.terms.id,
            shard,
            Jsonb(asdict(market.terms)),
            market.index_ticks,
            market.index_at_ms,
            market.index_reason,
            market.quote_id,
            market.index_until_ms,
        )
        for market in changes.markets.values()
    ]


def _account_rows(shard: str, changes: Changes) -> list[tuple[Any, ...]]:
    return [
        (account.id, shard, key.owner_id, key.asset, key.kind, account.balance)
        for key, account in changes.accounts.items()
    ]


def _insert_entries(connection: Connection, shard: str, changes: Changes) -> None:
    if not changes.entries:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO entry (id, shard, seq, at_ms, kind, order_id, trade_id, reference)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (e.id, shard, e.seq, e.at_ms, e.kind, e.order_id, e.trade_id, e.reference)
                for e in changes.entries
            ],
        )
        cursor.executemany(
            "INSERT INTO posting (entry_id, line, account_id, amount, balance_after)"
            " VALUES (%s, %s, %s, %s, %s)",
            [
                (entry.id, line, *posting)
                for entry in changes.entries
                for line, posting in enumerate(entry.postings)
            ],
        )


def _insert_events(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO audit_event (stream, seq, at_ms, actor, kind, subject, data,"
                " previous, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                rows,
            )


def _insert_results(connection: Connection, shard: str, results: Iterable[ResultRow]) -> None:
    rows = [(shard, r.key, r.seq, r.fingerprint, Jsonb(r.result)) for r in results]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO command_result (shard, key, seq, fingerprint, result)"
                " VALUES (%s, %s, %s, %s, %s)",
                rows,
            )


def _values(shard: str, row: OrderState | TradeState) -> tuple[Any, ...]:
    values: list[Any] = [shard]
    for item in fields(row):
        value = getattr(row, item.name)
        values.append(Jsonb(value) if item.name in _JSON_COLUMNS else value)
    return tuple(values)


def _upsert(table: str, kind: type[Any], fixed: set[str]) -> str:
    """INSERT … ON CONFLICT for a row type; `fixed` columns never change after the insert."""
    names = [item.name for item in fields(kind)]
    columns = ", ".join(["shard", *names])
    marks = ", ".join(["%s"] * (len(names) + 1))
    updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in names if name not in fixed)
    return (
        f'INSERT INTO "{table}" ({columns}) VALUES ({marks})'  # noqa: S608
        f" ON CONFLICT (id) DO UPDATE SET {updates}"
    )


_ORDER_CHANGES = {"remaining", "held", "status", "reason", "updated_ms"}
_ORDER_UPSERT = _upsert(
    "order", OrderState, {item.name for item in fields(OrderState)} - _ORDER_CHANGES
)
_TRADE_CHANGES = {
    "buyer_fee",
    "seller_fee",
    "fee_note",
    "escrow_units",
    "to_buyer",
    "state",
    "reason",
    "timer",
    "deadline_ms",
    "payment_deadline_ms",
    "locked",
    "settled",
    "lock_reference",
    "settle_reference",
    "payment_proof",
    "updated_ms",
}
_TRADE_UPSERT = _upsert(
    "trade", TradeState, {item.name for item in fields(TradeState)} - _TRADE_CHANGES
)
_ACCOUNT_UPSERT = (
    "INSERT INTO account (id, shard, owner_id, asset, kind, balance)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (id) DO UPDATE SET balance = EXCLUDED.balance"
)
_MARKET_UPSERT = (
    "INSERT INTO market_state (market_id, shard, terms, index_ticks, index_at_ms, index_reason,"
    " quote_id, index_until_ms) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (market_id) DO UPDATE SET terms = EXCLUDED.terms,"
    " index_ticks = EXCLUDED.index_ticks, index_at_ms = EXCLUDED.index_at_ms,"
    " index_reason = EXCLUDED.index_reason, quote_id = EXCLUDED.quote_id,"
    " index_until_ms = EXCLUDED.index_until_ms"
)
