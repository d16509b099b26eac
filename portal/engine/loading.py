"""Reading a shard back from its tables, whole."""

from collections.abc import Iterable

from psycopg.rows import dict_row

from portal.engine.accounts import AccountState
from portal.engine.columns import field_names
from portal.engine.state import MarketInShard, ShardState
from portal.engine.store import Connection, JournalRow
from portal.ledger.rules import AccountKey
from portal.orders.rules import MarketTerms, OrderState, order_from
from portal.trades.rules import TradeState


def read_state(connection: Connection, shard: str) -> ShardState:
    """The shard as its tables tell, without taking it over."""
    query = "SELECT number, seq, next_id FROM shard WHERE name = %s"
    number, seq, next_id = connection.execute(query, (shard,)).fetchone() or (0, 0, 1)
    state = ShardState(shard, number)
    state.seq, state.next_id, state.at_ms = seq, next_id, _last_time(connection, shard)
    state.restore(
        markets=load_markets(connection, shard),
        orders=load_orders(connection, shard),
        trades=load_trades(connection, shard),
        accounts=load_accounts(connection, shard),
    )
    return state


def _last_time(connection: Connection, shard: str) -> int:
    row = connection.execute(
        "SELECT at_ms FROM journal WHERE shard = %s ORDER BY first_seq DESC LIMIT 1", (shard,)
    ).fetchone()
    return int(row[0]) if row else 0


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
    query = "SELECT * FROM \"order\" WHERE shard = %s AND status = 'open' ORDER BY id"
    with connection.cursor(row_factory=dict_row) as cursor:
        return [order_from(row) for row in cursor.execute(query, (shard,))]


def load_trades(connection: Connection, shard: str) -> list[TradeState]:
    """Trades that are not over."""
    names = field_names(TradeState)
    query = "SELECT * FROM trade WHERE shard = %s AND NOT closed ORDER BY id"
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, (shard,))
        return [TradeState(**{name: row[name] for name in names}) for row in rows]


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
