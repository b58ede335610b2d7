"""Gateways: who may send, with which tokens, and how much came from each on each day."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "gateways",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("broker_hash", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gateways")),
    )
    op.create_table(
        "gateway_days",
        sa.Column("gateway", sa.String(length=100), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("unpromised", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("last_message", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "day", name=op.f("pk_gateway_days")),
    )
    op.create_table(
        "gateway_tokens",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("gateway_name", sa.String(length=40), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["gateway_name"], ["gateways.name"], name=op.f("fk_gateway_tokens_gateway_name")
        ),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_gateway_tokens")),
    )
    with op.batch_alter_table("gateway_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gateway_tokens_gateway_name"), ["gateway_name"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_table("gateway_tokens")
    op.drop_table("gateway_days")
    op.drop_table("gateways")
