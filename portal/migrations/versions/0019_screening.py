"""government lists of sanctioned names and wallet addresses"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "screening_list",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("imported_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_screening_list")),
    )
    op.create_table(
        "screening_entry",
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("names", JSONB(), nullable=False),
        sa.Column("addresses", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_name"],
            ["screening_list.name"],
            name=op.f("fk_screening_entry_list_name_screening_list"),
        ),
        sa.PrimaryKeyConstraint("list_name", "uid", name=op.f("pk_screening_entry")),
    )


def downgrade() -> None:
    op.drop_table("screening_entry")
    op.drop_table("screening_list")
