"""the read model of offers, depth and track records; batches name the orders they changed"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INT, _TEXT = sa.BigInteger(), sa.Text()


def upgrade() -> None:
    # None in batches of an engine that did not note it: then the board is built anew.
    op.add_column("journal", sa.Column("changed_orders", sa.LargeBinary(), nullable=True))
    for table in ("journal", "journal_rest"):
        op.execute(f"ALTER TABLE {table} ALTER changed_orders SET STORAGE EXTERNAL")
    _make_offers()
    op.create_table(
        "depth",
        sa.Column("market_id", _TEXT, nullable=False),
        sa.Column("side", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("rank", _INT, autoincrement=False, nullable=False),
        sa.Column("shard", _TEXT, nullable=False),
        sa.Column("quantity", sa.Numeric(40, 0), nullable=False),
        sa.Column("orders", _INT, nullable=False),
        sa.PrimaryKeyConstraint("market_id", "side", "kind", "rank", name=op.f("pk_depth")),
    )
    op.create_table(
        "track_record",
        sa.Column("user_id", _INT, autoincrement=False, nullable=False),
        sa.Column("shard", _TEXT, nullable=False),
        sa.Column("completed", _INT, nullable=False),
        sa.Column("ended", _INT, nullable=False),
        sa.Column("releases", _INT, nullable=False),
        sa.Column("release_ms", _INT, nullable=False),
        sa.Column("first_ms", _INT, nullable=True),
        sa.PrimaryKeyConstraint("user_id", "shard", name=op.f("pk_track_record")),
    )
    op.create_table(
        "board_index",
        sa.Column("market_id", _TEXT, nullable=False),
        sa.Column("shard", _TEXT, nullable=False),
        sa.Column("index_ticks", _INT, nullable=True),
        sa.Column("index_at_ms", _INT, nullable=True),
        sa.Column("index_reason", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("market_id", name=op.f("pk_board_index")),
    )
    op.create_table(
        "board_cursor",
        sa.Column("shard", _TEXT, nullable=False),
        sa.Column("seq", _INT, nullable=False),
        sa.Column("at_ms", _INT, nullable=False),
        sa.Column("event_seq", _INT, nullable=False),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_board_cursor")),
    )


def _make_offers() -> None:
    op.create_table(
        "offer",
        sa.Column("order_id", _INT, autoincrement=False, nullable=False),
        sa.Column("shard", _TEXT, nullable=False),
        sa.Column("market_id", _TEXT, nullable=False),
        sa.Column("side", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("rank", _INT, nullable=False),
        sa.Column("priority", _INT, nullable=False),
        sa.Column("owner_id", _INT, nullable=False),
        sa.Column("quantity", _INT, nullable=False),
        sa.Column("min_trade", _INT, nullable=False),
        sa.Column("most", _INT, nullable=False),
        sa.Column("methods", postgresql.ARRAY(_TEXT), nullable=False),
        sa.Column("expires_ms", _INT, nullable=True),
        sa.Column("low_index", _INT, nullable=True),
        sa.Column("high_index", _INT, nullable=True),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_offer")),
    )
    best = ["market_id", "side", "kind", "rank", "priority", "order_id"]
    op.create_index("ix_offer_best", "offer", best)
    op.create_index("ix_offer_methods", "offer", ["methods"], postgresql_using="gin")
    for name in ("low_index", "high_index"):
        op.create_index(
            f"ix_offer_{name}",
            "offer",
            ["market_id", name],
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )


def downgrade() -> None:
    for table in ("board_cursor", "board_index", "track_record", "depth", "offer"):
        op.drop_table(table)
    op.drop_column("journal", "changed_orders")
