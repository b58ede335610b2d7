"""On SQLite the number of a person, an import, a link or a replay goes to no other once it is gone."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = ("users", "imports", "shares", "replays")


def upgrade() -> None:
    """Apply."""
    _rebuild(once=True)


def downgrade() -> None:
    """Take back."""
    _rebuild(once=False)


def _rebuild(*, once: bool) -> None:
    if op.get_bind().dialect.name != "sqlite":
        return  # a sequence of PostgreSQL never gives a number twice
    for name in TABLES:
        with op.batch_alter_table(name, recreate="always", table_kwargs={"sqlite_autoincrement": once}):
            pass
