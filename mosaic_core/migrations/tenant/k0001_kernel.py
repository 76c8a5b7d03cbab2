"""The kernel's tenant tables: head, change log, outbox."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "k0001"
down_revision = None
branch_labels = ("kernel",)
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "head",
        sa.Column("owner", types.Text(64), primary_key=True),
        sa.Column("status", types.Text(16), nullable=False),
        sa.Column("epoch", types.Integer(), nullable=False),
        sa.Column("version", types.Integer(), nullable=False),
        sa.Column("published", types.Integer(), nullable=False),
        sa.Column("digest", types.Bytes(), nullable=False),
        sa.Column("base_version", types.Integer(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "changes",
        sa.Column("version", types.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", types.Integer(), primary_key=True, autoincrement=False),
        sa.Column("write_id", types.Uuid(), nullable=False),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.Column("action", types.Text(100), nullable=False),
        sa.Column("operation", types.Text(16), nullable=False),
        sa.Column("entity", types.Text(64), nullable=False),
        sa.Column("entity_id", types.Text(200), nullable=False),
        sa.Column("salt", types.Bytes()),
        sa.Column("image", types.Json()),
        sa.Column("image_digest", types.Bytes(), nullable=False),
        sa.Column("chain", types.Bytes(), nullable=False),
        sa.UniqueConstraint("write_id", "seq", name="uq_changes_write_id_seq"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_changes_entity_entity_id_version",
        "changes",
        ["entity", "entity_id", "version"],
        schema="tenant",
    )
    op.create_table(
        "outbox",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("topic", types.Text(100), nullable=False),
        sa.Column("payload", types.Json(), nullable=False),
        sa.Column("attempts", types.Integer(), nullable=False),
        sa.Column("error", types.Text(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
