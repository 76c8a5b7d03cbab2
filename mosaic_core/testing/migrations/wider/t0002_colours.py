"""A column that only newer code knows, and which older code can do without."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "t0002"
down_revision = "t0001"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.add_column("toys", sa.Column("colour", types.Text(20)), schema="tenant")
