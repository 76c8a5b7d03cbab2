"""A table that only newer code knows."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "t0002"
down_revision = "t0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "boxes",
        sa.Column("id", types.Uuid(), primary_key=True),
        schema="tenant",
        sqlite_strict=True,
    )
