"""Who an experiment is in the hands of."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("experiments") as table:
        table.add_column(sa.Column("owner_id", sa.Integer(), nullable=True))
        table.create_foreign_key(
            op.f("fk_experiments_owner_id_users"), "users", ["owner_id"], ["id"], ondelete="SET NULL"
        )
        table.create_index(op.f("ix_experiments_owner_id"), ["owner_id"])


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("experiments") as table:
        table.drop_index(op.f("ix_experiments_owner_id"))
        table.drop_constraint(op.f("fk_experiments_owner_id_users"), type_="foreignkey")
        table.drop_column("owner_id")
