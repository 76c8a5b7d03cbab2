"""When something is due next at each tenant."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "p0002"
down_revision = "p0001"
branch_labels = None
depends_on = None
phase = "contract"
needs = "p0002"


def upgrade() -> None:
    op.create_table(
        "due",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("due", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_due_due", "due", ["due"], schema="platform")
