"""Who works at a tenant as a whole."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "p0005"
down_revision = "p0004"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("token", types.Integer(), nullable=False),
        sa.Column("work", types.Text(16), nullable=False),
        sa.Column("holder", types.Text(200), nullable=False),
        sa.Column("since", types.Integer(), nullable=False),
        sa.Column("renewed", types.Integer(), nullable=False),
        sa.Column("lasts", types.Integer(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
