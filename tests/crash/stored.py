"""What is stored, read straight from the tables: the other half of every comparison."""

from dataclasses import dataclass
from typing import Any

import orjson
import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A command as the journal has it, with its answer."""

    seq: int
    at_ms: int
    epoch: int
    raw: dict[str, Any]
    answer: dict[str, Any] | None


def journal(connection: Connection) -> list[Stored]:
    """Every command of the journal in its order."""
    rows = connection.execute("SELECT epoch, commands, answers FROM journal ORDER BY first_seq")
    found = []
    for epoch, commands, answers in rows:
        by_seq = orjson.loads(answers)
        for seq, at_ms, raw in orjson.loads(commands):
            found.append(Stored(seq, at_ms, epoch, raw, by_seq.get(str(seq))))
    return found


def head(connection: Connection) -> tuple[int, int]:
    """The shard's epoch and last sequence."""
    row = connection.execute("SELECT epoch, seq FROM shard").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def moved(connection: Connection) -> dict[int, int]:
    """What the transfers add up to, per account."""
    rows = connection.execute(
        """
        SELECT id, sum(amount)::bigint FROM (
            SELECT to_id AS id, amount FROM transfer
            UNION ALL SELECT from_id, -amount FROM transfer
        ) AS both_ends GROUP BY id
        """
    )
    return dict(rows.fetchall())


def balances(connection: Connection) -> dict[tuple[int, str, str], tuple[int, int]]:
    """Every account: (owner, asset, kind) → (id, balance)."""
    rows = connection.execute("SELECT owner_id, asset, kind, id, balance FROM account")
    return {(owner, asset, kind): (id_, balance) for owner, asset, kind, id_, balance in rows}


def backing(connection: Connection) -> dict[tuple[int, str, str], int]:
    """What held and escrow accounts should hold: open orders, unlocked and locked trades."""
    rows = connection.execute(
        """
        SELECT o.owner_id, s.terms->>(CASE o.side WHEN 'sell' THEN 'base' ELSE 'quote' END),
               'held', o.held
        FROM "order" o
        JOIN market_state s USING (market_id) WHERE o.status = 'open'
        UNION ALL
        SELECT seller_id, base, 'held', reserved FROM trade
        WHERE NOT locked AND NOT settled AND state <> 'cancelled'
        UNION ALL
        SELECT seller_id, base, 'escrow', escrow_units FROM trade WHERE locked AND NOT settled
        """
    )
    wanted: dict[tuple[int, str, str], int] = {}
    for owner, asset, kind, units in rows:
        if units:
            wanted[owner, asset, kind] = wanted.get((owner, asset, kind), 0) + units
    return wanted
