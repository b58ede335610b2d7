"""Bookings of rooms, and which days of which room's calendar are known."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "calendars",
        sa.Column("room_id", sa.Integer(), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_calendars_room_id")),
        sa.PrimaryKeyConstraint("room_id", name=op.f("pk_calendars")),
    )
    op.create_table(
        "bookings",
        sa.Column("room_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_bookings_room_id")),
        sa.PrimaryKeyConstraint("room_id", "key", name=op.f("pk_bookings")),
    )
    with op.batch_alter_table("bookings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bookings_start"), ["start"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_table("bookings")
    op.drop_table("calendars")
