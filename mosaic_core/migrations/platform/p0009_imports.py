"""Imports that have not come to their end."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "p0009"
down_revision = "p0008"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("bundle_id", types.Uuid(), nullable=False),
        sa.Column("slug", types.Text(63), nullable=False),
        sa.Column("tier", types.Text(63), nullable=False),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("given_up", types.Boolean(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
