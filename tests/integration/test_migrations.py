"""The schema that migrations make is the one the models describe."""

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from eth_account import Account

from portal.core.db import Database, libpq_url, sqlalchemy_url
from portal.migrations.runner import configuration
from portal.migrations.tables import all_metadata, is_described

pytestmark = pytest.mark.postgres


def test_migrations_and_models_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_described})
        differences = compare_metadata(context, all_metadata())
    assert differences == []


def test_a_signed_transaction_keeps_its_nonce_bytes_and_fees(database_url: str) -> None:
    """0008 moves what was signed for an intent to a row of its own, and back."""
    key = "0x" + "11" * 32
    transaction = {
        "nonce": 7, "to": "0x" + "42" * 20, "value": 0, "gas": 50_000, "chainId": 31337,
        "maxFeePerGas": 30 * 10**9, "maxPriorityFeePerGas": 2 * 10**9,
    }  # fmt: skip
    signed = Account.sign_transaction(transaction, key)
    raw, tx_hash = "0x" + signed.raw_transaction.hex(), "0x" + signed.hash.hex()
    migrations = configuration(sqlalchemy_url(database_url))
    command.downgrade(migrations, "0007")
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute(
            "INSERT INTO chain_intent (key, kind, to_address, data, status, alarm, sender, nonce,"
            " raw, tx_hash, created_at, updated_at)"
            " VALUES ('k', 'settle', '0x', '0x', 'sent', false, '0xs', 7, %s, %s, now(), now()),"
            " ('l', 'mint', '0x', '0x', 'failed', true, NULL, NULL, NULL, NULL, now(), now())",
            (raw, tx_hash),
        )
    command.upgrade(migrations, "head")
    with psycopg.connect(libpq_url(database_url)) as connection:
        (found,) = connection.execute(
            "SELECT sender, nonce, number, gas, max_fee, priority_fee, raw, tx_hash, status"
            " FROM chain_attempt"
        ).fetchall()
        ends = connection.execute("SELECT guarded, final_at IS NULL FROM chain_intent ORDER BY key")
        assert ends.fetchall() == [(True, True), (False, False)]
    assert found == ("0xs", 7, 1, 50_000, 30 * 10**9, 2 * 10**9, raw, tx_hash, "sent")
    command.downgrade(migrations, "0007")
    with psycopg.connect(libpq_url(database_url)) as connection:
        back = connection.execute("SELECT sender, nonce, raw FROM chain_intent WHERE key = 'k'")
        assert back.fetchone() == ("0xs", 7, raw)


def test_every_payout_stop_is_carried_over(database_url: str) -> None:
    """0011 puts coins that were stopped among the payout stops, and back."""
    migrations = configuration(sqlalchemy_url(database_url))
    command.downgrade(migrations, "0010")
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute(
            "INSERT INTO payout_stop (cause, owner_id, asset, reason, since)"
            " VALUES ('movement:4', 9, 'USDT', 'taken back', '2026-01-01')"
        )
        connection.execute(
            "INSERT INTO token_stop (asset, reason, fingerprint, began_at, seen_at, ended_at,"
            " ended_by, note) VALUES"
            " ('DAI', 'was short', 'e', '2026-01-02', '2026-01-03', '2026-01-04', 'user:1', 'ok'),"
            " ('DAI', 'is short', 'f', '2026-01-05', '2026-01-06', NULL, NULL, NULL)"
        )
    command.upgrade(migrations, "head")
    with psycopg.connect(libpq_url(database_url)) as connection:
        found = connection.execute(
            "SELECT cause, owner_id, asset, reason, fingerprint, since::date::text,"
            " seen_at::date::text, lifted_at IS NULL, lifted_by, note FROM payout_stop ORDER BY id"
        ).fetchall()
    assert found == [
        ("movement:4", 9, "USDT", "taken back", None, *["2026-01-01"] * 2, True, None, None),
        ("difference:DAI", None, "DAI", "was short", "e", "2026-01-02", "2026-01-03", False,
         "user:1", "ok"),
        ("difference:DAI", None, "DAI", "is short", "f", "2026-01-05", "2026-01-06", True,
         None, None),
    ]  # fmt: skip
    command.downgrade(migrations, "0010")
    with psycopg.connect(libpq_url(database_url)) as connection:
        persons = connection.execute("SELECT cause, lifted_at IS NULL FROM payout_stop").fetchall()
        coins = connection.execute("SELECT reason, ended_by FROM token_stop ORDER BY id").fetchall()
    assert persons == [("movement:4", True)]
    assert coins == [("was short", "user:1"), ("is short", None)]
