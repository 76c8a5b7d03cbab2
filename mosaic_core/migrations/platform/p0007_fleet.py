"""Migrating all tenants, deleting one of them, and the slugs that they had."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "p0007"
down_revision = "p0005"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "migrations",
        sa.Column("revision", types.Text(32), primary_key=True),
        sa.Column("required", types.Boolean(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "rollouts",
        sa.Column("revision", types.Text(500), primary_key=True),
        sa.Column("wave", types.Text(16), nullable=False),
        sa.Column("failures", types.Json(), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "former_slugs",
        sa.Column("slug", types.Text(63), primary_key=True),
        sa.Column("tenant_id", types.Text(64), nullable=False),
        sa.Column("until", types.UTCDateTime(), nullable=False),
        sa.Column("changed", types.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_former_slugs_tenant_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    for name in ("tenant_id", "changed"):
        op.create_index(f"ix_former_slugs_{name}", "former_slugs", [name], schema="platform")
    op.create_table(
        "deletions",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("at", types.UTCDateTime(), primary_key=True),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.Column("due", types.UTCDateTime(), nullable=False),
        sa.Column("status", types.Text(16), nullable=False),
        sa.Column("found", types.Json()),
        sa.Column("certificate", types.Json()),
        schema="platform",
        sqlite_strict=True,
    )
