"""Boxes get a shade, sealed ones lose their label, and pairs to the right of 100 go."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "t0002"
down_revision = "t0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("boxes", sa.Column("shade", types.Text(20)), schema="tenant")
    boxes = sa.table(
        "boxes",
        sa.column("shade", types.Text(20)),
        sa.column("label", types.Text(100)),
        sa.column("sealed", types.Boolean()),
        schema="tenant",
    )
    pairs = sa.table("pairs", sa.column("right", types.Integer()), schema="tenant")
    op.execute(boxes.update().values(shade="cobalt"))
    op.execute(boxes.update().where(boxes.c.sealed.is_(True)).values(label=None))
    op.execute(pairs.delete().where(pairs.c.right > 100))
