"""A site says who may read it over the API."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "c0004"
down_revision = "c0003"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.add_column("sites", sa.Column("api", types.Json()), schema="tenant")
