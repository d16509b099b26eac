"""Reading a shard back from its tables, whole."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, cast

from psycopg.rows import dict_row

from portal.engine.state import AccountState, MarketInShard, ShardState
from portal.engine.store import Connection, JournalRow
from portal.ledger.rules import AccountKey
from portal.orders.rules import MarketTerms, OrderState
from portal.trades.rules import TradeState


def read_state(connection: Connection, shard: str) -> ShardState:
    """The shard as its tables tell, without taking it over."""
    state = ShardState(shard)
    row = connection.execute("SELECT seq, next_id FROM shard WHERE name = %s", (shard,)).fetchone()
    state.seq, state.next_id = row or (0, 1)
    state.restore(
        markets=load_markets(connection, shard),
        orders=load_orders(connection, shard),
        trades=load_trades(connection, shard),
        accounts=load_accounts(connection, shard),
    )
    return state


def load_markets(connection: Connection, shard: str) -> list[MarketInShard]:
    """Every market of the shard with its index."""
    rows = connection.execute(
        "SELECT terms, index_ticks, index_at_ms, index_reason, quote_id, index_until_ms"
        " FROM market_state"
        " WHERE shard = %s ORDER BY market_id",
        (shard,),
    )
    return [MarketInShard(MarketTerms(**terms), *rest) for terms, *rest in rows]


def load_orders(connection: Connection, shard: str) -> list[OrderState]:
    """Open orders, oldest first."""
    return _load(
        connection,
        OrderState,
        "SELECT * FROM \"order\" WHERE shard = %s AND status = 'open' ORDER BY id",
        shard,
    )


def load_trades(connection: Connection, shard: str) -> list[TradeState]:
    """Trades that are not over."""
    return _load(
        connection,
        TradeState,
        "SELECT * FROM trade WHERE shard = %s AND NOT settled"
        " AND NOT (state = 'cancelled' AND NOT locked) ORDER BY id",
        shard,
    )


def load_accounts(connection: Connection, shard: str) -> list[tuple[AccountKey, AccountState]]:
    """Every account of the shard."""
    rows = connection.execute(
        "SELECT owner_id, asset, kind, id, balance FROM account WHERE shard = %s ORDER BY id",
        (shard,),
    )
    return [(AccountKey(*row[:3]), AccountState(*row[3:])) for row in rows]


def read_journal(connection: Connection, shard: str) -> Iterable[JournalRow]:
    """The whole journal in order."""
    with connection.cursor(name="journal") as cursor:
        cursor.execute(
            "SELECT first_seq, last_seq, at_ms, commands, previous, hash FROM journal"
            " WHERE shard = %s ORDER BY first_seq",
            (shard,),
        )
        for row in cursor:
            yield JournalRow(*row)


def _load(connection: Connection, kind: type[Any], query: str, shard: str) -> list[Any]:
    names = [item.name for item in fields(kind)]
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(cast(Any, query), (shard,)).fetchall()
    return [kind(**{name: row[name] for name in names}) for row in rows]
