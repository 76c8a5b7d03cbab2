"""When a message of the outbox is to be dealt with."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "k0002"
down_revision = "k0001"
branch_labels = None
depends_on = None
phase = "contract"
needs = "k0002"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("due", types.UTCDateTime()), schema="tenant")
    outbox = sa.Table(
        "outbox",
        sa.MetaData(schema="tenant"),
        sa.Column("at", types.UTCDateTime()),
        sa.Column("due", types.UTCDateTime()),
    )
    op.execute(outbox.update().values(due=outbox.c.at))
    op.create_index("ix_outbox_due", "outbox", ["due"], schema="tenant")
