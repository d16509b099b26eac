"""less to write: one index on open trades, keys found by themselves, no hash told twice"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_CLOSED = "settled OR (state = 'cancelled' AND NOT locked)"
_FILL_PREVIOUS = """
    UPDATE audit_event AS event SET previous = coalesce(
        (SELECT hash FROM audit_event AS before
         WHERE before.stream = event.stream AND before.seq = event.seq - 1), repeat('0', 64))
"""


def upgrade() -> None:
    op.add_column(
        "trade",
        sa.Column("closed", sa.Boolean(), sa.Computed(_CLOSED, persisted=True), nullable=False),
    )
    op.drop_index("ix_trade_deadline_ms", "trade")
    op.drop_index("ix_trade_open_state", "trade")
    op.create_index("ix_trade_open", "trade", ["id"], postgresql_where=sa.text("NOT closed"))
    _key_by("key", "shard", "day")
    op.drop_column("audit_event", "previous")  # It is the hash of the event before.


def downgrade() -> None:
    op.add_column("audit_event", sa.Column("previous", sa.Text(), nullable=True))
    op.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
    op.execute(_FILL_PREVIOUS)
    op.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")
    op.alter_column("audit_event", "previous", nullable=False)
    _key_by("shard", "day", "key")
    op.drop_index("ix_trade_open", "trade")
    op.drop_column("trade", "closed")
    op.create_index(
        "ix_trade_open_state", "trade", ["state"], postgresql_where=sa.text("NOT settled")
    )
    op.create_index(
        "ix_trade_deadline_ms",
        "trade",
        ["deadline_ms"],
        postgresql_where=sa.text("deadline_ms IS NOT NULL"),
    )


def _key_by(*columns: str) -> None:
    """What differs comes first: an index is then searched by it alone."""
    op.drop_constraint("pk_command_key", "command_key")
    op.create_primary_key("pk_command_key", "command_key", list(columns))
