"""the journal of blocks and logs, booked movements, payout stops and what endpoints are like"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INT, _TEXT, _AT = sa.BigInteger(), sa.Text(), sa.DateTime(timezone=True)


def upgrade() -> None:
    _make_journal()
    _make_movements()
    op.create_table(
        "payout_stop",
        sa.Column("id", _INT, nullable=False),
        sa.Column("cause", _TEXT, nullable=False),
        sa.Column("owner_id", _INT, nullable=True),
        sa.Column("asset", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("since", _AT, nullable=False),
        sa.Column("lifted_at", _AT, nullable=True),
        sa.Column("lifted_by", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_stop")),
    )
    op.create_index("uq_payout_stop_cause", "payout_stop", ["cause"], unique=True)
    on = sa.text("lifted_at IS NULL")
    op.create_index("ix_payout_stop_on", "payout_stop", ["asset"], postgresql_where=on)
    op.create_table(
        "chain_endpoint",
        sa.Column("position", _INT, autoincrement=False, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("height", _INT, nullable=True),
        sa.Column("latency_ms", _INT, nullable=True),
        sa.Column("errors", _INT, nullable=False),
        sa.Column("disagreements", _INT, nullable=False),
        sa.Column("last_error", _TEXT, nullable=True),
        sa.Column("at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_chain_endpoint")),
    )
    _read_again_what_waited()


def _make_journal() -> None:
    op.create_table(
        "chain_block",
        sa.Column("number", _INT, autoincrement=False, nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("parent_hash", _TEXT, nullable=False),
        sa.Column("timestamp", _INT, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_chain_block")),
    )
    op.create_table(
        "chain_log",
        sa.Column("block_number", _INT, autoincrement=False, nullable=False),
        sa.Column("log_index", _INT, autoincrement=False, nullable=False),
        sa.Column("block_hash", _TEXT, nullable=False),
        sa.Column("tx_hash", _TEXT, nullable=False),
        sa.Column("address", _TEXT, nullable=False),
        sa.Column("topics", postgresql.ARRAY(_TEXT), nullable=False),
        sa.Column("data", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_chain_log")),
    )
    op.create_index("ix_chain_log_address", "chain_log", ["address", "block_number"])
    op.create_index("ix_chain_log_tx_hash", "chain_log", ["tx_hash"])


def _make_movements() -> None:
    op.create_table(
        "chain_movement",
        sa.Column("id", _INT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("chain_id", _INT, nullable=False),
        sa.Column("tx_hash", _TEXT, nullable=False),
        sa.Column("log_index", _INT, nullable=False),
        sa.Column("block_number", _INT, nullable=False),
        sa.Column("block_hash", _TEXT, nullable=False),
        sa.Column("owner_id", _INT, nullable=False),
        sa.Column("asset", _TEXT, nullable=False),
        sa.Column("units", _INT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("updated_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_movement")),
    )
    op.create_index("uq_chain_movement_key", "chain_movement", ["key"], unique=True)
    op.create_index("ix_chain_movement_tx_hash", "chain_movement", ["tx_hash"])
    unsettled = sa.text("state NOT IN ('final', 'refused', 'reversed')")
    op.create_index(
        "ix_chain_movement_open", "chain_movement", ["block_number"], postgresql_where=unsettled
    )


def _read_again_what_waited() -> None:
    """A withdrawal that waited was a cursor named after its block; now it is a movement.

    Reading from there again makes one of it; what is booked already is not booked twice.
    """
    op.execute(
        "UPDATE chain_cursor SET block_number = least(block_number, (SELECT min(block_number) - 1"
        " FROM chain_cursor WHERE name LIKE 'again:%')) WHERE name = 'deposits'"
    )
    op.execute("DELETE FROM chain_cursor WHERE name LIKE 'again:%'")


def downgrade() -> None:
    for table in ("chain_endpoint", "payout_stop", "chain_movement", "chain_log", "chain_block"):
        op.drop_table(table)
