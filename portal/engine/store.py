"""Writing a shard: one batch of commands and all its effects are one transaction.

Plain psycopg in one pipeline: these are the hot tables, and every statement is written for them.
The first statement moves the shard's head and fails when another engine has taken over.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads

from portal.core.db import Base
from portal.core.hashchain import START, event_hash, link
from portal.engine import ids
from portal.engine.columns import (
    Columns,
    json_array,
    json_text,
    plain_array,
    text_array,
)
from portal.engine.models import CommandKey
from portal.engine.state import Changes, EventRow, TransferRow
from portal.ledger.models import Account, Transfer
from portal.orders.models import Order
from portal.orders.rules import ORDER_FIELDS
from portal.trades.models import Trade
from portal.trades.rules import TradeState

set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)

Connection = psycopg.Connection[tuple[Any, ...]]
Statement = tuple[str, Sequence[Any]]
CHANNEL = "engine"
# How long an engine leads a shard after its last sign of life, by the database's clock.
LEASE_SECONDS = 2.0
_MAX_NOTICE = 7_900
_MANY_CHANGES = 60


class Fenced(Exception):
    """Another engine has taken the shard over; nothing of the batch was written."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a shard stands: its epoch, last sequence, ids and the ends of its two chains."""

    number: int
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
class SealedBatch:
    """Everything of a batch that is to be written, already as PostgreSQL takes it."""

    head: Head
    after: Head
    at_ms: int
    keys: tuple[str, ...]
    statements: list[Statement]


class _KeyRow(NamedTuple):
    key: str
    day: int
    seq: int


class _BalanceRow(NamedTuple):
    id: int
    balance: int


class _NewAccountRow(NamedTuple):
    id: int
    owner_id: int
    asset: str
    kind: str
    balance: int


def stream_name(shard: str) -> str:
    """The event stream of a shard."""
    return f"shard:{shard}"


def take_over(connection: Connection, shard: str) -> Head:
    """Raise the shard's epoch, so that whoever wrote before can't any more: for tools.

    Engines that serve agree by a lease first (`portal.engine.lease`).
    """
    make_shard(connection, shard)
    row = connection.execute(
        "UPDATE shard SET epoch = epoch + 1, leader = NULL WHERE name = %s RETURNING epoch",
        (shard,),
    ).fetchone()
    if row is None:
        raise Fenced(f"shard {shard} has no head")
    return read_head(connection, shard)


def make_shard(connection: Connection, shard: str) -> None:
    """Give the shard its row and number, unless it has them."""
    connection.execute(
        "INSERT INTO shard (name, number, epoch, seq, journal_hash, next_id)"
        " SELECT %s, n, 0, 0, %s, greatest(1, n * %s)"
        " FROM (SELECT coalesce(max(number) + 1, 0) AS n FROM shard) AS next"
        " ON CONFLICT DO NOTHING",
        (shard, START, ids.IDS_A_SHARD),
    )


def read_head(connection: Connection, shard: str) -> Head:
    """Where the shard stands. Raises Fenced when there is none."""
    row = connection.execute(
        "SELECT s.number, s.epoch, s.seq, s.next_id, s.journal_hash, e.seq, e.hash FROM shard s"
        " LEFT JOIN LATERAL (SELECT seq, hash FROM audit_event WHERE stream = %s"
        " ORDER BY seq DESC LIMIT 1) AS e ON true WHERE s.name = %s",
        (stream_name(shard), shard),
    ).fetchone()
    if row is None:
        raise Fenced(f"shard {shard} has no head")
    number, epoch, seq, next_id, journal_hash, event_seq, last_hash = row
    return Head(number, epoch, seq, next_id, journal_hash, event_seq or 0, last_hash or START)


def tune(connection: Connection) -> None:
    """Have every statement planned once, by key: a batch's rows are always found by their ids."""
    for setting in (
        "plan_cache_mode = force_generic_plan",
        "enable_seqscan = off",
        "enable_hashjoin = off",
        "enable_mergejoin = off",
        "jit = off",
    ):
        connection.execute(f"SET {setting}".encode())
    connection.prepare_threshold = 0


def find_keys(connection: Connection, shard: str, keys: Sequence[str], day: int) -> dict[str, int]:
    """The commands (by seq) that those of `keys` were used for which were used lately."""
    rows = connection.execute(
        "SELECT key, seq FROM command_key"
        " WHERE shard = %s AND day = ANY(%s::int8[]) AND key = ANY(%s::text[])",
        (shard, plain_array((day - 1, day)), text_array(keys)),
    )
    return {str(key): int(seq) for key, seq in rows}


def read_answer(
    connection: Connection, shard: str, seq: int
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """A journalled command and the answer it got; None when its journal is gone."""
    row = connection.execute(
        "SELECT commands, answers FROM journal WHERE shard = %s AND first_seq <= %s"
        " ORDER BY first_seq DESC LIMIT 1",
        (shard, seq),
    ).fetchone()
    if row is None:
        return None
    answer = orjson.loads(row[1]).get(str(seq))
    command = next((raw for at, _, raw in orjson.loads(row[0]) if at == seq), None)
    return None if answer is None or command is None else (command, answer)


def seal(
    shard: str,
    head: Head,
    commands: bytes,
    answers: bytes,
    keys: Sequence[tuple[str, int]],
    changes: Changes,
    *,
    last_seq: int,
    at_ms: int,
    next_id: int,
) -> SealedBatch:
    """Turn a batch into statements. What is changed in memory after this is not part of it."""
    hash_ = link(head.journal_hash, commands)
    rows, event_seq, last_hash = _chain(shard, head, changes.events)
    after = Head(head.number, head.epoch, last_seq, next_id, hash_, event_seq, last_hash)
    statements: list[Statement] = [
        _journal_statement(shard, head, after, commands, answers, at_ms),
        *_row_statements(shard, "order", changes.orders, head.next_id),
        *_row_statements(shard, "trade", changes.trades, head.next_id),
        *_account_statements(shard, changes, head.next_id),
        *_market_statements(shard, changes),
    ]
    if changes.transfers:
        statements.append((_TRANSFER_INSERT, (shard, *_TRANSFERS.arrays(changes.transfers))))
    if rows:
        statements.append((_EVENT_INSERT, rows))
    if keys:
        day = ids.day_of(at_ms)
        key_rows = [_KeyRow(key, day, seq) for key, seq in keys]
        statements.append((_KEY_INSERT, (shard, *_KEYS.arrays(key_rows))))
    statements.append(("SELECT pg_notify(%s, %s)", (CHANNEL, notice(changes))))
    return SealedBatch(head, after, at_ms, tuple(key for key, _ in keys), statements)


def write_batch(
    connection: Connection, shard: str, batch: SealedBatch, standbys: str | None = None
) -> None:
    """Write a sealed batch and all its effects in one transaction; it renews the lease, too.

    `standbys`: the `synchronous_standby_names` that the batch relies on; None: on none. Raises
    Fenced when the head is not where this engine left it, or the standbys are not waited for.
    """
    head, after = batch.head, batch.after
    with connection.transaction(), connection.pipeline():
        moved = connection.execute(
            _FENCE if standbys is None else _FENCE_WITH_STANDBYS,
            (
                *(after.seq, after.journal_hash, after.next_id, LEASE_SECONDS),
                *(shard, head.epoch, head.seq),
                *(() if standbys is None else (standbys,)),
            ),
        )
        for statement, parameters in batch.statements:
            connection.execute(statement, parameters)
        if moved.fetchone() is None:
            raise Fenced(f"shard {shard} is no longer at epoch {head.epoch}, sequence {head.seq}")


def notice(changes: Changes) -> str:
    """What changed, for whoever shows it live: markets, and (person, what, id) triples.

    PostgreSQL takes 8,000 bytes at most; beyond that it says that anything may have changed.
    """
    if len(changes.orders) + len(changes.trades) + len(changes.accounts) > _MANY_CHANGES:
        return '{"all":true}'
    markets = {*changes.markets, *(order.market_id for order in changes.orders.values())}
    people = {(order.owner_id, "order", order.id) for order in changes.orders.values()}
    for trade in changes.trades.values():
        people |= {(trade.buyer_id, "trade", trade.id), (trade.seller_id, "trade", trade.id)}
    people |= {(key.owner_id, "balance", 0) for key in changes.accounts if key.owner_id}
    text = orjson.dumps({"markets": sorted(markets), "people": sorted(people)}).decode()
    return text if len(text) < _MAX_NOTICE else '{"all":true}'


def _chain(shard: str, head: Head, events: list[EventRow]) -> tuple[list[str], int, str]:
    """The events' columns as arrays, chained to what was written before."""
    stream, seq, previous = stream_name(shard), head.event_seq, head.event_hash
    hashes = [previous]
    for event in events:
        seq += 1
        hashes.append(event_hash(hashes[-1], stream=stream, seq=seq, **event._asdict()))
    if not events:
        return [], seq, previous
    columns = list(zip(*events, strict=True))
    arrays = [
        text_array([stream] * len(events)),
        plain_array(range(head.event_seq + 1, seq + 1)),
        plain_array(columns[0]),
        *(text_array(column) for column in columns[1:4]),
        json_array(columns[4]),
        text_array(hashes[:-1]),
        text_array(hashes[1:]),
    ]
    return arrays, seq, hashes[-1]


def _journal_statement(
    shard: str, head: Head, after: Head, commands: bytes, answers: bytes, at_ms: int
) -> Statement:
    values = (
        shard,
        head.seq + 1,
        after.seq,
        head.epoch,
        at_ms,
        commands,
        answers,
        head.journal_hash,
        after.journal_hash,
    )
    return _JOURNAL_INSERT, values


def _row_statements(
    shard: str, table: str, rows: dict[int, Any], first_new: int
) -> list[Statement]:
    """INSERT for the rows whose id is new in this batch, UPDATE for the others."""
    whole, part, insert, update = _TABLES[table]
    new = [row for id_, row in rows.items() if id_ >= first_new]
    old = [row for id_, row in rows.items() if id_ < first_new]
    statements: list[Statement] = []
    if new:
        statements.append((insert, (shard, *whole.arrays(new))))
    if old:
        statements.append((update, part.arrays(old)))
    return statements


def _account_statements(shard: str, changes: Changes, first_new: int) -> list[Statement]:
    new, old = [], []
    for key, account in changes.accounts.items():
        if account.id >= first_new:
            new.append(_NewAccountRow(account.id, *key, account.balance))
        else:
            old.append(_BalanceRow(account.id, account.balance))
    statements: list[Statement] = []
    if new:
        statements.append((_NEW_ACCOUNTS.insert("account"), (shard, *_NEW_ACCOUNTS.arrays(new))))
    if old:
        statements.append((_BALANCES.update("account"), _BALANCES.arrays(old)))
    return statements


def _market_statements(shard: str, changes: Changes) -> list[Statement]:
    return [
        (
            _MARKET_UPSERT,
            (
                market.terms.id,
                shard,
                json_text(market.terms),
                market.index_ticks,
                market.index_at_ms,
                market.index_reason,
                market.quote_id,
                market.index_until_ms,
            ),
        )
        for market in changes.markets.values()
    ]


_ADVANCE = (
    "UPDATE shard SET seq = %s, journal_hash = %s, next_id = %s,"
    " lease_until = clock_timestamp() + make_interval(secs => %s)"
    " WHERE name = %s AND epoch = %s AND seq = %s"
)
_FENCE = _ADVANCE + " RETURNING name"
_FENCE_WITH_STANDBYS = (
    _ADVANCE + " AND current_setting('synchronous_standby_names') = %s"
    " AND current_setting('synchronous_commit') IN ('on', 'remote_apply') RETURNING name"
)
_JOURNAL_INSERT = (
    "INSERT INTO journal (shard, first_seq, last_seq, epoch, at_ms, commands, answers, previous,"
    " hash) VALUES (%s, %s, %s, %s, %s, %b, %b, %s, %s)"
)
_EVENT_INSERT = (
    "INSERT INTO audit_event (stream, seq, at_ms, actor, kind, subject, data, previous, hash)"
    " SELECT * FROM unnest(%s::text[], %s::int8[], %s::int8[], %s::text[], %s::text[],"
    " %s::text[], %s::jsonb[], %s::text[], %s::text[])"
)
_MARKET_UPSERT = (
    "INSERT INTO market_state (market_id, shard, terms, index_ticks, index_at_ms, index_reason,"
    " quote_id, index_until_ms) VALUES (%s, %s, %s::jsonb, %s, %s, %s, %s, %s)"
    " ON CONFLICT (market_id) DO UPDATE SET terms = EXCLUDED.terms,"
    " index_ticks = EXCLUDED.index_ticks, index_at_ms = EXCLUDED.index_at_ms,"
    " index_reason = EXCLUDED.index_reason, quote_id = EXCLUDED.quote_id,"
    " index_until_ms = EXCLUDED.index_until_ms"
)
_TRANSFERS = Columns(Transfer, TransferRow._fields)
_TRANSFER_INSERT = _TRANSFERS.insert("transfer")
_KEYS = Columns(CommandKey, _KeyRow._fields)
_KEY_INSERT = _KEYS.insert("command_key")
_NEW_ACCOUNTS = Columns(Account, _NewAccountRow._fields)
_BALANCES = Columns(Account, _BalanceRow._fields)

# What never changes after an order or a trade was made.
_ORDER_FIXED = {
    "owner_id",
    "market_id",
    "side",
    "order_type",
    "price_kind",
    "methods",
    "accounts",
    "tif",
    "max_fee_bps",
    "authority",
    "take_order",
    "created_ms",
    "post_only",
    "stp",
    "shared",
    "hours",
    "conditions",
    "facts",
    "link",
    "via",
    "quote_set",
    "maker_fee_bps",
    "taker_fee_bps",
}
_TRADE_CHANGES = {
    "id",
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


_Table = tuple[Columns, Columns, str, str]


def _table(model: type[Base], names: Sequence[str], changing: Collection[str]) -> _Table:
    whole = Columns(model, names)
    part = Columns(model, [name for name in names if name in changing])
    table = str(model.__tablename__)
    return whole, part, whole.insert(table), part.update(table)


_TABLES = {
    "order": _table(Order, ORDER_FIELDS, set(ORDER_FIELDS) - _ORDER_FIXED),
    "trade": _table(Trade, TradeState.__struct_fields__, _TRADE_CHANGES),
}
