"""snapshots of a shard's memory, and what each engine says of itself"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "engine_snapshot",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("journal_hash", sa.Text(), nullable=False),
        sa.Column("format", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq", "part", name=op.f("pk_engine_snapshot")),
    )
    # Compressing a hundred megabytes would take longer than writing them.
    op.execute("ALTER TABLE engine_snapshot ALTER COLUMN data SET STORAGE EXTERNAL")
    op.create_table(
        "engine_status",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("alarm", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("shard", "engine", name=op.f("pk_engine_status")),
    )


def downgrade() -> None:
    op.drop_table("engine_status")
    op.drop_table("engine_snapshot")
