"""an index on what is open of trades that lets every step but the last rewrite a row in place"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_CLOSED = "settled OR (state = 'cancelled' AND NOT locked)"


def upgrade() -> None:
    op.add_column(
        "trade",
        sa.Column("closed", sa.Boolean(), sa.Computed(_CLOSED, persisted=True), nullable=False),
    )
    op.drop_index("ix_trade_deadline_ms", "trade")
    op.drop_index("ix_trade_open_state", "trade")
    op.create_index("ix_trade_open", "trade", ["id"], postgresql_where=sa.text("NOT closed"))


def downgrade() -> None:
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
