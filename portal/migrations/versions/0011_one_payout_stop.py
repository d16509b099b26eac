"""stopped coins and payout stops are one: every stop has a cause, a finding and a reason to end"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0022"
branch_labels = None
depends_on = None

_TEXT, _AT = sa.Text(), sa.DateTime(timezone=True)
_ON = sa.text("lifted_at IS NULL")


def upgrade() -> None:
    op.add_column("payout_stop", sa.Column("fingerprint", _TEXT, nullable=True))
    op.add_column("payout_stop", sa.Column("seen_at", _AT, nullable=True))
    op.add_column("payout_stop", sa.Column("note", _TEXT, nullable=True))
    op.execute("UPDATE payout_stop SET seen_at = since")
    op.alter_column("payout_stop", "seen_at", nullable=False)
    op.drop_index("uq_payout_stop_cause", "payout_stop")
    op.execute(
        "INSERT INTO payout_stop (cause, asset, reason, fingerprint, since, seen_at,"
        " lifted_at, lifted_by, note)"
        " SELECT 'difference:' || asset, asset, reason, fingerprint, began_at, seen_at,"
        " ended_at, ended_by, note FROM token_stop ORDER BY id"
    )
    op.create_index(
        "uq_payout_stop_cause_on", "payout_stop", ["cause"], unique=True, postgresql_where=_ON
    )
    op.drop_table("token_stop")


def downgrade() -> None:
    op.create_table(
        "token_stop",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("asset", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("fingerprint", _TEXT, nullable=False),
        sa.Column("began_at", _AT, nullable=False),
        sa.Column("seen_at", _AT, nullable=False),
        sa.Column("ended_at", _AT, nullable=True),
        sa.Column("ended_by", _TEXT, nullable=True),
        sa.Column("note", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_stop")),
    )
    op.execute(
        "INSERT INTO token_stop (asset, reason, fingerprint, began_at, seen_at, ended_at,"
        " ended_by, note)"
        " SELECT asset, reason, fingerprint, since, seen_at, lifted_at, lifted_by, note"
        " FROM payout_stop WHERE cause LIKE 'difference:%' ORDER BY id"
    )
    # The older schema has one row for a cause: the newest.
    op.execute(
        "DELETE FROM payout_stop AS old WHERE old.cause LIKE 'difference:%' OR EXISTS"
        " (SELECT FROM payout_stop AS newer WHERE newer.cause = old.cause AND newer.id > old.id)"
    )
    op.create_index(
        "uq_token_stop_open",
        "token_stop",
        ["asset"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index("uq_payout_stop_cause_on", "payout_stop")
    op.create_index("uq_payout_stop_cause", "payout_stop", ["cause"], unique=True)
    for name in ("fingerprint", "seen_at", "note"):
        op.drop_column("payout_stop", name)
