"""A batch as statements: everything it changed, in the form in which it is written.

Sealing happens in memory, at once: what is applied after it belongs to the next batch.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import orjson

from portal.audit.models import AuditEvent
from portal.core.db import Base
from portal.core.hashchain import event_hash, link
from portal.engine import ids
from portal.engine.accounts import AccountState
from portal.engine.columns import Columns, field_names, json_text
from portal.engine.models import CommandKey
from portal.engine.rows import EventRow, TransferRow
from portal.engine.state import Changes
from portal.engine.store import CHANNEL, Copy, Head, SealedBatch, Statement, stream_name
from portal.ledger.models import Account, Transfer
from portal.ledger.rules import AccountKey
from portal.orders.models import Order
from portal.orders.rules import OPEN, ORDER_FIELDS
from portal.trades.models import Trade
from portal.trades.rules import TradeState

_MAX_NOTICE = 7_900
_MANY_CHANGES = 60


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


class _Event(NamedTuple):
    seq: int
    at_ms: int
    actor: str
    kind: str
    subject: str
    data: dict[str, Any]
    previous: str
    hash: str


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
    events = _chain(shard, head, changes.events)
    ends = (events[-1].seq, events[-1].hash) if events else (head.event_seq, head.event_hash)
    after = Head(head.number, head.epoch, last_seq, next_id, hash_, *ends)
    accounts = changes.accounts.items()
    new_orders, old_orders = _by_age(changes.orders, head.next_id)
    new_trades, old_trades = _by_age(changes.trades, head.next_id)
    day = ids.day_of(at_ms)
    changed = orjson.dumps(_shown(new_orders, old_orders))
    return SealedBatch(
        head,
        after,
        at_ms,
        tuple(key for key, _ in keys),
        [
            _journal_statement(shard, head, after, commands, answers, at_ms, changed),
            *_market_statements(shard, changes),
            *_update(_ORDER_CHANGES, old_orders),
            *_update(_TRADE_CHANGES, old_trades),
            *_update(_BALANCES, _balances(accounts, head.next_id)),
            ("SELECT pg_notify(%s, %s)", (CHANNEL, notice(changes))),
        ],
        [
            *_copy(_ORDERS, new_orders, shard=shard),
            *_copy(_TRADES, new_trades, shard=shard),
            *_copy(_NEW_ACCOUNTS, _new_accounts(accounts, head.next_id), shard=shard),
            *_copy(_TRANSFERS, changes.transfers, shard=shard),
            *_copy(_EVENTS, events, stream=stream_name(shard)),
            *_copy(_KEYS, [_KeyRow(key, day, seq) for key, seq in keys], shard=shard),
        ],
    )


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


def _chain(shard: str, head: Head, events: list[EventRow]) -> list[_Event]:
    """The events as rows, each chained to the one before."""
    stream, previous, rows = stream_name(shard), head.event_hash, []
    for seq, event in enumerate(events, head.event_seq + 1):
        digest = event_hash(previous, stream=stream, seq=seq, **event._asdict())
        said = (event.at_ms, event.actor, event.kind, event.subject, event.data)
        rows.append(_Event(seq, *said, previous, digest))
        previous = digest
    return rows


def _by_age(rows: dict[int, Any], first_new: int) -> tuple[list[Any], list[Any]]:
    """Rows that this batch made, and rows that were there: ids only ever rise."""
    new = [row for id_, row in rows.items() if id_ >= first_new]
    old = [row for id_, row in rows.items() if id_ < first_new]
    return new, old


def _shown(new: list[Any], old: list[Any]) -> list[int]:
    """The orders that whoever shows open orders has to look at again."""
    return [order.id for order in new if order.status == OPEN] + [order.id for order in old]


def _new_accounts(
    accounts: Collection[tuple[AccountKey, AccountState]], first_new: int
) -> list[_NewAccountRow]:
    return [
        _NewAccountRow(account.id, *key, account.balance)
        for key, account in accounts
        if account.id >= first_new
    ]


def _balances(
    accounts: Collection[tuple[AccountKey, AccountState]], first_new: int
) -> list[_BalanceRow]:
    return [
        _BalanceRow(account.id, account.balance)
        for _, account in accounts
        if account.id < first_new
    ]


def _update(columns: tuple[Columns, str], rows: Sequence[Any]) -> list[Statement]:
    return [(columns[1], columns[0].arrays(rows))] if rows else []


def _copy(columns: Columns, rows: Sequence[Any], **fixed: str) -> list[Copy]:
    return [(columns.copy(*fixed), columns.lines(rows, *fixed.values()))] if rows else []


def _journal_statement(
    shard: str,
    head: Head,
    after: Head,
    commands: bytes,
    answers: bytes,
    at_ms: int,
    changed: bytes,
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
        changed,
    )
    return _JOURNAL_INSERT, values


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


_JOURNAL_INSERT = (
    "INSERT INTO journal (shard, first_seq, last_seq, epoch, at_ms, commands, answers, previous,"
    " hash, changed_orders) VALUES (%s, %s, %s, %s, %s, %b, %b, %s, %s, %b)"
)
_MARKET_UPSERT = (
    "INSERT INTO market_state (market_id, shard, terms, index_ticks, index_at_ms, index_reason,"
    " quote_id, index_until_ms) VALUES (%s, %s, %s::jsonb, %s, %s, %s, %s, %s)"
    " ON CONFLICT (market_id) DO UPDATE SET terms = EXCLUDED.terms,"
    " index_ticks = EXCLUDED.index_ticks, index_at_ms = EXCLUDED.index_at_ms,"
    " index_reason = EXCLUDED.index_reason, quote_id = EXCLUDED.quote_id,"
    " index_until_ms = EXCLUDED.index_until_ms"
)
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
_TRADE_CHANGING = {
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


def _changing(model: type[Base], names: Sequence[str]) -> tuple[Columns, str]:
    columns = Columns(model, names)
    return columns, columns.update()


_ORDERS = Columns(Order, tuple(ORDER_FIELDS))
_ORDER_CHANGES = _changing(Order, [name for name in ORDER_FIELDS if name not in _ORDER_FIXED])
_TRADES = Columns(Trade, field_names(TradeState))
_TRADE_CHANGES = _changing(Trade, sorted(_TRADE_CHANGING))
_TRANSFERS = Columns(Transfer, TransferRow._fields)
_EVENTS = Columns(AuditEvent, _Event._fields)
_KEYS = Columns(CommandKey, _KeyRow._fields)
_NEW_ACCOUNTS = Columns(Account, _NewAccountRow._fields)
_BALANCES = _changing(Account, _BalanceRow._fields)
