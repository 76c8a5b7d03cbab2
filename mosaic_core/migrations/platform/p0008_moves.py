"""Moves of tenants, and how far they have come."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "p0008"
down_revision = "p0007"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "moves",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("tenant_id", types.Text(64), nullable=False),
        sa.Column("from_tier", types.Text(63), nullable=False),
        sa.Column("from_epoch", types.Integer(), nullable=False),
        sa.Column("to_tier", types.Text(63), nullable=False),
        sa.Column("to_epoch", types.Integer(), nullable=False),
        sa.Column("step", types.Text(16), nullable=False),
        sa.Column("token", types.Integer(), nullable=False),
        sa.Column("cancelled", types.Boolean(), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.Column("began_at", types.UTCDateTime(), nullable=False),
        sa.Column("changed_at", types.UTCDateTime(), nullable=False),
        sa.Column("fenced_at", types.UTCDateTime()),
        sa.Column("pause", types.Integer()),
        sa.Column("progress", types.Json(), nullable=False),
        sa.Column("error", types.Text(), nullable=False),
        sa.Column("kept_until", types.UTCDateTime()),
        schema="platform",
        sqlite_strict=True,
    )
    for name in ("tenant_id", "step", "kept_until"):
        op.create_index(f"ix_moves_{name}", "moves", [name], schema="platform")
