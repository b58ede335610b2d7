"""How each device did, day by day."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "device_days",
        sa.Column("device_key", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("interval", sa.Integer(), nullable=True),
        sa.Column("longest_gap", sa.Integer(), nullable=False),
        sa.Column("stuck", sa.String(length=100), nullable=False),
        sa.Column("apart", sa.String(length=100), nullable=False),
        sa.Column("battery", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["device_key"], ["devices.key"], name=op.f("fk_device_days_device_key")),
        sa.PrimaryKeyConstraint("device_key", "day", name=op.f("pk_device_days")),
    )
    with op.batch_alter_table("device_days", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_days_day"), ["day"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_table("device_days")
