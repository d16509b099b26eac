"""how a market settles, its price band, and what keeps its book clean"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind, value in (
        ("settlement", sa.Text(), "trade"),
        ("band_bps", sa.BigInteger(), "0"),
        ("min_rest_ms", sa.BigInteger(), "0"),
        ("max_open_orders", sa.BigInteger(), "0"),
    ):
        op.add_column("market", sa.Column(name, kind, server_default=value, nullable=False))


def downgrade() -> None:
    for name in ("max_open_orders", "min_rest_ms", "band_bps", "settlement"):
        op.drop_column("market", name)
