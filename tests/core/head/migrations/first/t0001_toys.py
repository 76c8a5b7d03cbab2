"""The toys' first tables."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "t0001"
down_revision = None
branch_labels = ("toys",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "boxes",
        sa.Column("id", types.Text(40), primary_key=True),
        sa.Column("label", types.Text(100)),
        sa.Column("note", types.Json()),
        sa.Column("weight", types.Exact(12, 4)),
        sa.Column("count", types.Integer(), nullable=False),
        sa.Column("sealed", types.Boolean(), nullable=False),
        sa.Column("packed_at", types.UTCDateTime()),
        sa.Column("picture", types.Bytes()),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "things",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("box_id", types.Text(40), nullable=False),
        sa.Column("name", types.Text(100), nullable=False),
        sa.ForeignKeyConstraint(["box_id"], ["tenant.boxes.id"], name="fk_things_box_id"),
        sa.UniqueConstraint("name", name="uq_things_name"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index("ix_things_box_id", "things", ["box_id"], schema="tenant")
    op.create_table(
        "pairs",
        sa.Column("left", types.Text(40), primary_key=True),
        sa.Column("right", types.Integer(), primary_key=True, autoincrement=False),
        sa.Column("value", types.Text(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "shown",
        sa.Column("path", types.Text(100), primary_key=True),
        sa.Column("text", types.Text(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "words",
        sa.Column("word", types.Text(100), primary_key=True),
        sa.Column("n", types.Integer(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
