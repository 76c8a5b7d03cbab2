"""A page remembers what an import read for it."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "c0006"
down_revision = "c0005"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.add_column("pages", sa.Column("source_digest", types.Text(128)), schema="tenant")
