"""The platform's first tables."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "p0001"
down_revision = None
branch_labels = ("platform",)
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "head",
        sa.Column("owner", types.Text(64), primary_key=True),
        sa.Column("status", types.Text(16), nullable=False),
        sa.Column("epoch", types.Integer(), nullable=False),
        sa.Column("version", types.Integer(), nullable=False),
        sa.Column("published", types.Integer(), nullable=False),
        sa.Column("digest", types.Bytes(), nullable=False),
        sa.Column("base_version", types.Integer(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "changes",
        sa.Column("version", types.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", types.Integer(), primary_key=True, autoincrement=False),
        sa.Column("write_id", types.Uuid(), nullable=False),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.Column("action", types.Text(100), nullable=False),
        sa.Column("operation", types.Text(16), nullable=False),
        sa.Column("entity", types.Text(64), nullable=False),
        sa.Column("entity_id", types.Text(200), nullable=False),
        sa.Column("salt", types.Bytes()),
        sa.Column("image", types.Json()),
        sa.Column("image_digest", types.Bytes(), nullable=False),
        sa.Column("chain", types.Bytes(), nullable=False),
        sa.UniqueConstraint("write_id", "seq", name="uq_changes_write_id_seq"),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_changes_entity_entity_id_version",
        "changes",
        ["entity", "entity_id", "version"],
        schema="platform",
    )
    op.create_table(
        "outbox",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("topic", types.Text(100), nullable=False),
        sa.Column("payload", types.Json(), nullable=False),
        sa.Column("attempts", types.Integer(), nullable=False),
        sa.Column("error", types.Text(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "tenants",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("slug", types.Text(63), nullable=False),
        sa.Column("name", types.Text(200), nullable=False),
        sa.Column("tier", types.Text(63), nullable=False),
        sa.Column("status", types.Text(16), nullable=False),
        sa.Column("reason", types.Text(500), nullable=False),
        sa.Column("epoch", types.Integer(), nullable=False),
        sa.Column("database_schema", types.Text(63)),
        sa.Column("revision", types.Text(500), nullable=False),
        sa.Column("subscription_status", types.Text(32), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("changed", types.Integer(), nullable=False),
        sa.UniqueConstraint("slug", name="uq_tenants_slug"),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_tenants_revision", "tenants", ["revision"], schema="platform")
    op.create_index("ix_tenants_changed", "tenants", ["changed"], schema="platform")
    op.create_table(
        "domains",
        sa.Column("host", types.Text(253), primary_key=True),
        sa.Column("tenant_id", types.Text(64), nullable=False),
        sa.Column("site", types.Text(63)),
        sa.Column("active", types.Boolean(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("changed", types.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_domains_tenant_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_domains_tenant_id", "domains", ["tenant_id"], schema="platform")
    op.create_index("ix_domains_changed", "domains", ["changed"], schema="platform")
    op.create_table(
        "hints",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("due", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_hints_due", "hints", ["due"], schema="platform")
