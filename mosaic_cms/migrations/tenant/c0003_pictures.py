"""Pictures have a focal point, and stored files are found by their digest."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "c0003"
down_revision = "c0002"
branch_labels = None
depends_on = None
phase = "expand"
renders = True


def upgrade() -> None:
    for name in ("focal_x", "focal_y"):
        op.add_column("media", sa.Column(name, types.Integer()), schema="tenant")
    op.create_index("ix_media_digest", "media", ["digest"], schema="tenant")
