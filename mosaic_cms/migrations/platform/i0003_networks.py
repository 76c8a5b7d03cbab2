"""The networks from which tenants are reached."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "i0003"
down_revision = "i0002"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "network_lists",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("allow", types.Json(), nullable=False),
        sa.Column("block", types.Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_network_lists_tenant_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
