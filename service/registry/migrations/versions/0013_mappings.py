"""Quarantine by cause, mappings version by version, replays."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; what waits already is one cause a code."""
    op.create_table(
        "quarantine_causes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("gateway", sa.String(length=100), nullable=False),
        sa.Column("shape", sa.String(length=200), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("latest_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine_causes")),
        sa.UniqueConstraint("code", "gateway", "shape", name=op.f("uq_quarantine_causes_code_gateway_shape")),
    )
    op.create_table(
        "mappings",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(length=254), nullable=False),
        sa.PrimaryKeyConstraint("number", "version", name=op.f("pk_mappings")),
    )
    op.create_table(
        "replays",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cause_id", sa.Integer(), nullable=True),
        sa.Column("mapping", sa.Integer(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.String(length=254), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("total", "done", "stored", "readings", "removed", "waiting")
        ),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["cause_id"], ["quarantine_causes.id"], name=op.f("fk_replays_cause_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
    )
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cause_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_foreign_key(op.f("fk_quarantine_cause_id"), "quarantine_causes", ["cause_id"], ["id"])
        batch_op.create_index(
            batch_op.f("ix_quarantine_cause_id_status"), ["cause_id", "status"], unique=False
        )
    op.execute(
        "INSERT INTO quarantine_causes (code, gateway, shape, waiting, first_at, last_at, latest_id)"
        " SELECT code, '', '', SUM(CASE WHEN status = 'waiting' THEN 1 ELSE 0 END), MIN(received_at),"
        " MAX(received_at), MAX(id) FROM quarantine GROUP BY code"
    )
    op.execute(
        "UPDATE quarantine SET cause_id ="
        " (SELECT id FROM quarantine_causes AS cause WHERE cause.code = quarantine.code)"
    )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quarantine_cause_id_status"))
        batch_op.drop_constraint(op.f("fk_quarantine_cause_id"), type_="foreignkey")
        batch_op.drop_column("settled_at")
        batch_op.drop_column("cause_id")
    for table in ("replays", "mappings", "quarantine_causes"):
        op.drop_table(table)
