"""When a message of the outbox is to be dealt with; a hint names the topic of the messages."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "p0003"
down_revision = "p0002"
branch_labels = None
depends_on = None
phase = "contract"
needs = "p0003"

#: What messages were about until now. A hint did not say which of them it meant.
_TOPICS = ("projection.render", "mail.send")


def upgrade() -> None:
    op.add_column("outbox", sa.Column("due", types.UTCDateTime()), schema="platform")
    tables = sa.MetaData(schema="platform")
    outbox = sa.Table(
        "outbox",
        tables,
        sa.Column("at", types.UTCDateTime()),
        sa.Column("due", types.UTCDateTime()),
    )
    op.execute(outbox.update().values(due=outbox.c.at))
    op.create_index("ix_outbox_due", "outbox", ["due"], schema="platform")
    before = sa.Table(
        "hints",
        tables,
        sa.Column("tenant_id", types.Text(64)),
        sa.Column("due", types.UTCDateTime()),
    )
    kept = op.get_bind().execute(sa.select(before.c.tenant_id, before.c.due)).all()
    op.drop_table("hints", schema="platform")
    after = op.create_table(
        "hints",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("topic", types.Text(100), primary_key=True),
        sa.Column("due", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_hints_topic_due", "hints", ["topic", "due"], schema="platform")
    rows = [
        {"tenant_id": tenant_id, "topic": topic, "due": due}
        for tenant_id, due in kept
        for topic in _TOPICS
    ]
    if rows:
        op.bulk_insert(after, rows)
