"""every signed transaction of an intent has a row of its own: replacements, fees, gas, finality"""

import sqlalchemy as sa
from alembic import op
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INT, _TEXT, _TIME = sa.BigInteger(), sa.Text(), sa.DateTime(timezone=True)
_NEW = (("urgent_at", _TIME), ("checked_at", _TIME), ("final_at", _TIME))
_MOVED = (("sender", _TEXT), ("nonce", _INT), ("raw", _TEXT), ("gas_used", _INT))
_STATUS = """CASE status WHEN 'confirmed' THEN 'mined' WHEN 'failed' THEN 'reverted'
    WHEN 'done' THEN 'reverted' ELSE status END"""


def upgrade() -> None:
    for name, kind in _NEW:
        op.add_column("chain_intent", sa.Column(name, kind, nullable=True))
    op.add_column(
        "chain_intent",
        sa.Column("guarded", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.alter_column("chain_intent", "guarded", server_default=None)
    op.execute("UPDATE chain_intent SET guarded = kind IN"
               " ('open', 'mark_paid', 'settle', 'cancel', 'expire')")  # fmt: skip
    # What ended before this version was not followed further, and is not begun anew.
    op.execute("UPDATE chain_intent SET final_at = updated_at"
               " WHERE status IN ('confirmed', 'done', 'failed')")  # fmt: skip
    _make_attempts()
    _move_signed()
    for name, _ in _MOVED:
        op.drop_column("chain_intent", name)
    op.create_index(
        "ix_chain_intent_not_final",
        "chain_intent",
        ["id"],
        postgresql_where=sa.text("final_at IS NULL AND block_number IS NOT NULL"),
    )


def _make_attempts() -> None:
    op.create_table(
        "chain_attempt",
        sa.Column("id", _INT, nullable=False),
        sa.Column("intent_id", _INT, nullable=False),
        sa.Column("chain_id", _INT, nullable=False),
        sa.Column("sender", _TEXT, nullable=False),
        sa.Column("nonce", _INT, nullable=False),
        sa.Column("number", _INT, nullable=False),
        sa.Column("gas", _INT, nullable=False),
        sa.Column("max_fee", _INT, nullable=False),
        sa.Column("priority_fee", _INT, nullable=False),
        sa.Column("raw", _TEXT, nullable=True),
        sa.Column("tx_hash", _TEXT, nullable=True),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("sent_at", _TIME, nullable=True),
        sa.Column("offered_at", _TIME, nullable=True),
        sa.Column("mined_at", _TIME, nullable=True),
        sa.Column("block_number", _INT, nullable=True),
        sa.Column("block_hash", _TEXT, nullable=True),
        sa.Column("gas_used", _INT, nullable=True),
        sa.Column("gas_price", _INT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_attempt")),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["chain_intent.id"], name=op.f("fk_chain_attempt_intent_id_chain_intent")
        ),
        sa.UniqueConstraint(
            "chain_id", "sender", "nonce", "number",
            name=op.f("uq_chain_attempt_chain_id_sender_nonce_number"),
        ),
        sa.UniqueConstraint("tx_hash", name=op.f("uq_chain_attempt_tx_hash")),
    )  # fmt: skip
    op.create_index("ix_chain_attempt_intent_id", "chain_attempt", ["intent_id"])
    op.create_index("ix_chain_attempt_mined_at", "chain_attempt", ["mined_at"])


def _move_signed() -> None:
    """Gas and fees stood in the signed bytes only: a replacement has to know them."""
    op.execute(
        "INSERT INTO chain_attempt (intent_id, chain_id, sender, nonce, number, gas, max_fee,"  # noqa: S608
        " priority_fee, raw, tx_hash, status, created_at, sent_at, offered_at, mined_at,"
        " block_number, gas_used)"
        " SELECT id, (SELECT coalesce(max(chain_id), 0) FROM chain_deployment), sender, nonce,"
        " row_number() OVER (PARTITION BY sender, nonce ORDER BY id), 0, 0, 0, raw, tx_hash,"
        f" {_STATUS}, created_at, updated_at, updated_at,"
        " CASE WHEN gas_used IS NOT NULL THEN updated_at END, block_number, gas_used"
        " FROM chain_intent WHERE raw IS NOT NULL AND nonce IS NOT NULL"
    )
    connection = op.get_bind()
    for key, raw in connection.execute(sa.text("SELECT id, raw FROM chain_attempt")).all():
        signed = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        connection.execute(
            sa.text("UPDATE chain_attempt SET gas = :gas, max_fee = :fee, priority_fee = :tip"
                    " WHERE id = :id"),
            {"id": key, "gas": signed["gas"], "fee": signed["maxFeePerGas"],
             "tip": signed["maxPriorityFeePerGas"]},
        )  # fmt: skip


def downgrade() -> None:
    for name, kind in _MOVED:
        op.add_column("chain_intent", sa.Column(name, kind, nullable=True))
    op.execute(
        "UPDATE chain_intent AS i SET sender = a.sender, nonce = a.nonce, raw = a.raw,"
        " gas_used = a.gas_used FROM chain_attempt AS a WHERE a.tx_hash = i.tx_hash"
    )
    op.drop_table("chain_attempt")
    op.drop_index("ix_chain_intent_not_final", "chain_intent")
    for name in ("guarded", *(name for name, _ in _NEW)):
        op.drop_column("chain_intent", name)
