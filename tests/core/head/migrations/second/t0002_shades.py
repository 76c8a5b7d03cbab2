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
    tables = sa.MetaData(schema="tenant")
    boxes = sa.Table(
        "boxes",
        tables,
        sa.Column("shade", types.Text(20)),
        sa.Column("label", types.Text(100)),
        sa.Column("sealed", types.Boolean()),
    )
    pairs = sa.Table("pairs", tables, sa.Column("right", types.Integer()))
    op.execute(boxes.update().values(shade="cobalt"))
    op.execute(boxes.update().where(boxes.c.sealed.is_(True)).values(label=None))
    op.execute(pairs.delete().where(pairs.c.right > 100))
