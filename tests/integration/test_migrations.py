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
