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
