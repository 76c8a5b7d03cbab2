"""Whose a domain is, and the issuers of tenants."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "i0002"
down_revision = "i0001"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "domain_proofs",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("domain", types.Text(253), primary_key=True),
        sa.Column("token", types.Text(64), nullable=False),
        sa.Column("serves", types.Boolean(), nullable=False),
        sa.Column("site", types.Text(63)),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("proven_at", types.UTCDateTime()),
        sa.Column("seen_at", types.UTCDateTime()),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_domain_proofs_tenant_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "tenant_issuers",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("title", types.Text(60), nullable=False),
        sa.Column("issuer", types.Text(300), nullable=False),
        sa.Column("client_id", types.Text(300), nullable=False),
        sa.Column("secret", types.Bytes()),
        sa.Column("domains", types.Json(), nullable=False),
        sa.Column("changed_at", types.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_tenant_issuers_tenant_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
