"""A batch as statements: everything it changed, in the form in which it is written.

Sealing happens in memory, at once: what is applied after it belongs to the next batch. Compiled
by mypyc where a C compiler is there, with the same results.
"""

from collections.abc import Sequence
from typing import Final

import orjson

from portal.core.hashchain import link
from portal.engine import ids
from portal.engine.accounts import AccountState
from portal.engine.columns import json_text
from portal.engine.copying.events import event_copy
from portal.engine.copying.keys import key_copy
from portal.engine.copying.ledger import account_copy, transfer_copy
from portal.engine.copying.orders import order_copy
from portal.engine.copying.trades import trade_copy
from portal.engine.state import Changes
from portal.engine.store import CHANNEL, Copy, Head, SealedBatch, Statement, stream_name
from portal.engine.updating import balance_update, order_update, trade_update
from portal.ledger.rules import AccountKey
from portal.orders.rules import OPEN, OrderState
from portal.trades.rules import TradeState

_MAX_NOTICE: Final = 7_900
_MANY_CHANGES: Final = 60
_NewAccount = tuple[AccountKey, AccountState]


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
    first_new = head.next_id
    orders, old_orders = _orders_by_age(changes.orders, first_new)
    trades, old_trades = _trades_by_age(changes.trades, first_new)
    accounts, balances = _accounts_by_age(changes.accounts, first_new)
    copies: list[Copy] = []
    if orders:
        copies.append(order_copy(shard, orders))
    if trades:
        copies.append(trade_copy(shard, trades))
    if accounts:
        copies.append(account_copy(shard, accounts))
    if changes.transfers:
        copies.append(transfer_copy(shard, changes.transfers))
    event_seq, event_hash = head.event_seq, head.event_hash
    if changes.events:
        copy, event_hash = event_copy(stream_name(shard), event_seq, event_hash, changes.events)
        copies.append(copy)
        event_seq += len(changes.events)
    if keys:
        copies.append(key_copy(shard, ids.day_of(at_ms), keys))
    hash_ = link(head.journal_hash, commands)
    after = Head(head.number, head.epoch, last_seq, next_id, hash_, event_seq, event_hash)
    changed = orjson.dumps(_shown(orders, old_orders))
    statements = [
        _journal_statement(shard, head, after, commands, answers, at_ms, changed),
        *_market_statements(shard, changes),
    ]
    if old_orders:
        statements.append(order_update(old_orders))
    if old_trades:
        statements.append(trade_update(old_trades))
    if balances:
        statements.append(balance_update(balances))
    statements.append(("SELECT pg_notify(%s, %s)", (CHANNEL, notice(changes))))
    return SealedBatch(head, after, at_ms, tuple([key for key, _ in keys]), statements, copies)


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


def _orders_by_age(
    orders: dict[int, OrderState], first_new: int
) -> tuple[list[OrderState], list[OrderState]]:
    """Those that this batch made, and those that were there: ids only ever rise."""
    new: list[OrderState] = []
    old: list[OrderState] = []
    for id_, order in orders.items():
        if id_ >= first_new:
            new.append(order)
        else:
            old.append(order)
    return new, old


def _trades_by_age(
    trades: dict[int, TradeState], first_new: int
) -> tuple[list[TradeState], list[TradeState]]:
    new: list[TradeState] = []
    old: list[TradeState] = []
    for id_, trade in trades.items():
        if id_ >= first_new:
            new.append(trade)
        else:
            old.append(trade)
    return new, old


def _accounts_by_age(
    accounts: dict[AccountKey, AccountState], first_new: int
) -> tuple[list[_NewAccount], list[AccountState]]:
    new: list[_NewAccount] = []
    old: list[AccountState] = []
    for key, account in accounts.items():
        if account.id >= first_new:
            new.append((key, account))
        else:
            old.append(account)
    return new, old


def _shown(new: list[OrderState], old: list[OrderState]) -> list[int]:
    """The orders that whoever shows open orders has to look at again."""
    return [order.id for order in new if order.status == OPEN] + [order.id for order in old]


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
