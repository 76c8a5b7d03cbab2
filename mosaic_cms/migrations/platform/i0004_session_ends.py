"""Which sessions were ended that something else keeps."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "i0004"
down_revision = "i0003"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "ended_sessions",
        sa.Column("account_id", types.Uuid(), primary_key=True),
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("until", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_ended_sessions_until", "ended_sessions", ["until"], schema="platform")
    op.create_table(
        "session_ends",
        sa.Column("account_id", types.Uuid(), primary_key=True),
        sa.Column("version", types.Integer(), nullable=False),
        sa.Column("but", types.Uuid()),
        sa.Column("until", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_session_ends_until", "session_ends", ["until"], schema="platform")
