"""The local day on which an experiment was declared: UTC may have another."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("experiments", sa.Column("declared_on", sa.Date(), nullable=True))


def downgrade() -> None:
    """Take back."""
    op.drop_column("experiments", "declared_on")
