"""The themes that published pages were rendered in, and which tenants have such pages.

Nobody knows in which themes the pages of the tenants were rendered that are there already.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "p0004"
down_revision = "p0003"
branch_labels = None
depends_on = None
phase = "contract"
needs = "p0004"


def upgrade() -> None:
    op.create_table(
        "theme_sets",
        sa.Column("key", types.Text(64), primary_key=True),
        sa.Column("revisions", types.Json(), nullable=False),
        sa.Column("content", types.Bytes(), nullable=False),
        sa.Column("began", types.UTCDateTime()),
        sa.Column("seen", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    rendered = op.create_table(
        "rendered",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("theme_set", types.Text(64), primary_key=True),
        sa.Column("again", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_rendered_theme_set", "rendered", ["theme_set"], schema="platform")
    tenants = sa.Table(
        "tenants", sa.MetaData(), sa.Column("tenant_id", types.Text(64)), schema="platform"
    )
    long_ago = sa.literal(datetime(2000, 1, 1, tzinfo=UTC), types.UTCDateTime())
    op.execute(
        rendered.insert().from_select(
            ["tenant_id", "theme_set", "again"],
            sa.select(tenants.c.tenant_id, sa.literal("", types.Text(64)), long_ago),
        )
    )
