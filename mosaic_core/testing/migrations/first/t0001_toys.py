"""The tables that the persistence contract plays with."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "t0001"
down_revision = None
branch_labels = ("toys",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "toys",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("name", types.Text(200), nullable=False),
        sa.Column("price", types.Exact(12, 2), nullable=False),
        sa.Column("count", types.Integer(), nullable=False),
        sa.Column("sold", types.Boolean(), nullable=False),
        sa.Column("made_at", types.UTCDateTime(), nullable=False),
        sa.Column("facts", types.Json(), nullable=False),
        sa.Column("picture", types.Bytes(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "stickers",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("toy_id", types.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["toy_id"], ["tenant.toys.id"]),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "shelves",
        sa.Column("path", types.Text(200), primary_key=True),
        sa.Column("body", types.Text(), nullable=False),
        sa.Column("facts", types.Json(), nullable=False),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "leaflets",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("language", types.Text(35), primary_key=True),
        sa.Column("room", types.Uuid(), nullable=False),
        sa.Column("title", types.Text(300), nullable=False),
        sa.Column("summary", types.Text(1000), nullable=False),
        sa.Column("text", types.Text(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
