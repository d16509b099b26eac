"""the Merkle tree over all events, and its signed checkpoints"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0010"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("audit_span", "audit_checkpoint")


def upgrade() -> None:
    op.create_table(
        "audit_tile",
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_audit_tile")),
    )
    # Hashes do not get smaller by compression.
    op.execute("ALTER TABLE audit_tile ALTER hashes SET STORAGE EXTERNAL")
    op.create_table(
        "audit_span",
        sa.Column("first_leaf", sa.BigInteger(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("first_leaf", name=op.f("pk_audit_span")),
        sa.UniqueConstraint("stream", "first_seq", name=op.f("uq_audit_span_stream_first_seq")),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoint")),
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    # Emptying a table at once goes past triggers for rows.
    for table in (*_APPEND_ONLY, "audit_event", "journal", "transfer", "kyc_decision"):
        op.execute(
            f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in ("audit_event", "journal", "transfer", "kyc_decision"):
        op.execute(f"DROP TRIGGER never_emptied ON {table}")
    for table in ("audit_checkpoint", "audit_span", "audit_tile"):
        op.drop_table(table)
