"""Yesterday's rows: a sample that the engine wrote itself, copied over the days until today.

What was written long ago costs through its indexes, so the copies have ids of their day, the same
owners and markets, and are closed. The journal has none of them, so this is no database to audit.
"""

import psycopg
from psycopg import sql

from portal.bench.driving import prepare
from portal.bench.lab import Lab
from portal.bench.load import Plan
from portal.core.clock import now_ms
from portal.engine import ids, partitions

SAMPLE = 50_000
TABLES = ("order", "trade", "transfer")
_IDS = {"id", "order_id", "trade_id", "maker_order_id", "taker_order_id", "take_order"}
_CLOSED = {
    "order": {"status": "'filled'", "remaining": "0", "held": "0", "reason": "NULL"},
    "trade": {
        "state": "'completed'",
        "settled": "true",
        "locked": "true",
        "timer": "NULL",
        "deadline_ms": "NULL",
        "to_buyer": "escrow_units",
    },
    "transfer": {},
}


def fill(lab: Lab, count: int, days: int) -> None:
    """Have `count` old orders, with their trades and transfers, before the engine starts."""
    engine = lab.start_engine()
    sample = min(SAMPLE, count)
    plan = Plan(0, "", "portal.bench.workloads.orders:Orders", 1, 0, options={"played": sample})
    prepare(engine, plan)
    engine.stop()
    with psycopg.connect(lab.database_url, autocommit=True) as connection:
        _copy(connection, -(-count // sample), days)
    with psycopg.connect(lab.postgres.url("portal"), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _copy(connection: partitions.Connection, copies: int, days: int) -> None:
    row = connection.execute("SELECT number, next_id FROM shard").fetchone()
    number, next_id = row or (0, 1)
    today = ids.day_of(now_ms())
    first = ids.first_id(number, today)
    length = next_id - first
    for copy in range(copies):
        day = today - copy % days
        partitions.ensure(connection, number, day)
        # Today's copies stand behind the sample, the others at the start of their day.
        place = copy // days + (day == today)
        shift = ids.first_id(number, day) - first + place * length
        for table in TABLES:
            _copy_table(connection, table, first, next_id, shift)
        if day > today - partitions.KEY_DAYS:
            connection.execute(
                "INSERT INTO command_key (shard, day, key, seq)"
                " SELECT shard, %s, key || %s, seq FROM command_key WHERE key NOT LIKE %s",
                (day, f"~{copy}", "%~%"),
            )
    connection.execute("UPDATE shard SET next_id = next_id + %s", (length * -(-copies // days),))


def _copy_table(
    connection: partitions.Connection, table: str, first: int, end: int, shift: int
) -> None:
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        " AND table_schema = current_schema() AND is_generated = 'NEVER' ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    names = [name for (name,) in rows]
    values = [_value(table, name, shift) for name in names]
    statement = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE id >= %s AND id < %s").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(values),
        sql.Identifier(table),
    )
    connection.execute(statement, (first, end))


def _value(table: str, name: str, shift: int) -> sql.Composable:
    fixed = _CLOSED[table].get(name)
    if fixed is not None:
        return sql.SQL(fixed)
    if name in _IDS:
        return sql.SQL("{} + {}").format(sql.Identifier(name), sql.Literal(shift))
    return sql.Identifier(name)
