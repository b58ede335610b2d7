"""A photo of where a device hangs."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "device_photos",
        sa.Column("device_key", sa.String(length=200), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added_by", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(["device_key"], ["devices.key"], name=op.f("fk_device_photos_device_key")),
        sa.PrimaryKeyConstraint("device_key", name=op.f("pk_device_photos")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("device_photos")
