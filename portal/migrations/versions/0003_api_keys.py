"""API keys, and word to whoever remembers records when they change"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None

# What a gateway keeps in memory: table, columns whose change matters (none: every change), and
# what the message says, of which a row's part is an expression over `changed`.
_PERSON = ("active", "kind", "country", "kyc_tier", "wallet_address")
_TOLD = (
    ("api_key", (), "'key|' || changed.id"),
    ("market", (), "'market|' || changed.id"),
    ("asset", (), "'asset|' || changed.code"),
    ("payment_account", (), "'person|' || changed.user_id"),
    ("plugin_switch", (), "'plugins|' || changed.slug"),
    ("plugin_setting", (), "'plugins|' || changed.slug"),
    ("ab_user", _PERSON, "'person|' || changed.id"),
)


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("networks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("max_open_orders", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
    )
    op.create_index(op.f("ix_api_key_user_id"), "api_key", ["user_id"])
    for table, columns, message in _TOLD:
        op.execute(_teller(table, message))
        update = f"UPDATE OF {', '.join(columns)}" if columns else "UPDATE"
        op.execute(
            f"CREATE TRIGGER tell_change AFTER INSERT OR {update} OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION tell_{table}_change()"
        )


def downgrade() -> None:
    for table, _, _ in _TOLD:
        op.execute(f"DROP TRIGGER tell_change ON {table}")
        op.execute(f"DROP FUNCTION tell_{table}_change()")
    op.drop_index(op.f("ix_api_key_user_id"), table_name="api_key")
    op.drop_table("api_key")


def _teller(table: str, message: str) -> str:
    return f"""
        CREATE FUNCTION tell_{table}_change() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE changed {table}%ROWTYPE;
        BEGIN
            IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
            PERFORM pg_notify('portal_changes', {message});
            RETURN NULL;
        END $$"""
