"""Migrating all tenants, deleting one of them, and the slugs that they had."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "p0007"
down_revision = "p0005"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "migrations",
        sa.Column("revision", types.Text(32), primary_key=True),
        sa.Column("required", types.Boolean(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "rollouts",
        sa.Column("revision", types.Text(500), primary_key=True),
        sa.Column("wave", types.Text(16), nullable=False),
        sa.Column("failures", types.Json(), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
