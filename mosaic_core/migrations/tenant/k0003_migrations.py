"""What code has to know to serve the database."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "k0003"
down_revision = "k0002"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "migrations",
        sa.Column("revision", types.Text(32), primary_key=True),
        sa.Column("required", types.Boolean(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
