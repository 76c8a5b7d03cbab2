"""Accounts, what they sign in with, and where they belong."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "i0001"
down_revision = None
branch_labels = ("identity",)
depends_on = "p0004"
phase = "expand"


def upgrade() -> None:
    state = op.create_table(
        "identity_state",
        sa.Column("only", types.Integer(), primary_key=True, autoincrement=False),
        sa.Column("version", types.Integer(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.bulk_insert(state, [{"only": 1, "version": 0}])
    op.create_table(
        "accounts",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("email", types.Text(254), nullable=False),
        sa.Column("email_key", types.Text(254), nullable=False),
        sa.Column("name", types.Text(100), nullable=False),
        sa.Column("verified_at", types.UTCDateTime()),
        sa.Column("active", types.Boolean(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.UniqueConstraint("email_key", name="uq_accounts_email_key"),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "credentials",
        sa.Column("account_id", types.Uuid(), primary_key=True),
        sa.Column("password", types.Text(200)),
        sa.Column("totp", types.Bytes()),
        sa.Column("totp_since", types.UTCDateTime()),
        sa.Column("totp_used", types.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name="fk_credentials_account_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("digest", types.Bytes(32), primary_key=True),
        sa.Column("account_id", types.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name="fk_recovery_codes_account_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_recovery_codes_account_id", "recovery_codes", ["account_id"], schema="platform"
    )
    op.create_table(
        "passkeys",
        sa.Column("credential_id", types.Bytes(1023), primary_key=True),
        sa.Column("account_id", types.Uuid(), nullable=False),
        sa.Column("name", types.Text(100), nullable=False),
        sa.Column("public_key", types.Bytes(), nullable=False),
        sa.Column("sign_count", types.Integer(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("used_at", types.UTCDateTime()),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name="fk_passkeys_account_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_passkeys_account_id", "passkeys", ["account_id"], schema="platform")
    op.create_table(
        "external_identities",
        sa.Column("issuer", types.Text(300), primary_key=True),
        sa.Column("subject", types.Text(255), primary_key=True),
        sa.Column("account_id", types.Uuid(), nullable=False),
        sa.Column("email", types.Text(254), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name="fk_external_identities_account_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_external_identities_account_id",
        "external_identities",
        ["account_id"],
        schema="platform",
    )
    op.create_table(
        "one_time_tokens",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("digest", types.Bytes(32), nullable=False),
        sa.Column("purpose", types.Text(16), nullable=False),
        sa.Column("account_id", types.Uuid(), nullable=False),
        sa.Column("email", types.Text(254), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("expires_at", types.UTCDateTime(), nullable=False),
        sa.UniqueConstraint("digest", name="uq_one_time_tokens_digest"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name="fk_one_time_tokens_account_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_one_time_tokens_account_id", "one_time_tokens", ["account_id"], schema="platform"
    )
    op.create_table(
        "sessions",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("digest", types.Bytes(32), nullable=False),
        sa.Column("account_id", types.Uuid(), nullable=False),
        sa.Column("tenant_id", types.Text(64)),
        sa.Column("remembered", types.Boolean(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("seen_at", types.UTCDateTime(), nullable=False),
        sa.Column("expires_at", types.UTCDateTime(), nullable=False),
        sa.Column("address", types.Text(64), nullable=False),
        sa.Column("agent", types.Text(200), nullable=False),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name="fk_sessions_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_sessions_tenant_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], schema="platform")
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"], schema="platform")
    op.create_table(
        "memberships",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("account_id", types.Uuid(), primary_key=True),
        sa.Column("role", types.Text(16)),
        sa.Column("site_roles", types.Json(), nullable=False),
        sa.Column("joined_at", types.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_memberships_tenant_id"
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name="fk_memberships_account_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_memberships_account_id", "memberships", ["account_id"], schema="platform")
    op.create_table(
        "invitations",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("digest", types.Bytes(32), nullable=False),
        sa.Column("tenant_id", types.Text(64), nullable=False),
        sa.Column("email", types.Text(254), nullable=False),
        sa.Column("email_key", types.Text(254), nullable=False),
        sa.Column("role", types.Text(16)),
        sa.Column("site_roles", types.Json(), nullable=False),
        sa.Column("invited_by", types.Text(254), nullable=False),
        sa.Column("created_by", types.Text(200), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("expires_at", types.UTCDateTime(), nullable=False),
        sa.UniqueConstraint("tenant_id", "email_key", name="uq_invitations_tenant_id_email_key"),
        sa.UniqueConstraint("digest", name="uq_invitations_digest"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_invitations_tenant_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("digest", types.Bytes(32), nullable=False),
        sa.Column("tenant_id", types.Text(64), nullable=False),
        sa.Column("name", types.Text(100), nullable=False),
        sa.Column("prefix", types.Text(32), nullable=False),
        sa.Column("role", types.Text(16), nullable=False),
        sa.Column("actions", types.Json(), nullable=False),
        sa.Column("sites", types.Json(), nullable=False),
        sa.Column("created_by", types.Text(200), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("expires_at", types.UTCDateTime()),
        sa.Column("revoked_at", types.UTCDateTime()),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_api_keys_tenant_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_api_keys_tenant_id", "api_keys", ["tenant_id"], schema="platform")
    op.create_table(
        "key_uses",
        sa.Column("key_id", types.Uuid(), primary_key=True),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("address", types.Text(64), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("digest", types.Bytes(32), nullable=False),
        sa.Column("family", types.Uuid(), nullable=False),
        sa.Column("account_id", types.Uuid(), nullable=False),
        sa.Column("tenant_id", types.Text(64), nullable=False),
        sa.Column("scopes", types.Json(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("expires_at", types.UTCDateTime(), nullable=False),
        sa.Column("used_at", types.UTCDateTime()),
        sa.UniqueConstraint("digest", name="uq_refresh_tokens_digest"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["platform.accounts.id"], name="fk_refresh_tokens_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.tenant_id"], name="fk_refresh_tokens_tenant_id"
        ),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_refresh_tokens_family", "refresh_tokens", ["family"], schema="platform")
    op.create_index(
        "ix_refresh_tokens_account_id", "refresh_tokens", ["account_id"], schema="platform"
    )
    op.create_table(
        "signing_keys",
        sa.Column("kid", types.Text(64), primary_key=True),
        sa.Column("public", types.Json(), nullable=False),
        sa.Column("private", types.Bytes(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("signs_until", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "attempts",
        sa.Column("key", types.Bytes(32), primary_key=True),
        sa.Column("failures", types.Integer(), nullable=False),
        sa.Column("until", types.UTCDateTime(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_attempts_until", "attempts", ["until"], schema="platform")
    op.create_table(
        "audit",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("tenant_id", types.Text(64)),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.Column("action", types.Text(100), nullable=False),
        sa.Column("outcome", types.Text(16), nullable=False),
        sa.Column("reason", types.Text(1000), nullable=False),
        sa.Column("address", types.Text(64), nullable=False),
        sa.Column("times", types.Integer(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_audit_tenant_id_id", "audit", ["tenant_id", "id"], schema="platform")
    op.create_table(
        "usage",
        sa.Column("tenant_id", types.Text(64), primary_key=True),
        sa.Column("what", types.Text(32), primary_key=True),
        sa.Column("month", types.Text(7), primary_key=True),
        sa.Column("amount", types.Integer(), nullable=False),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_table(
        "api_answers",
        sa.Column("digest", types.Bytes(32), primary_key=True),
        sa.Column("request", types.Bytes(), nullable=False),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("status", types.Integer(), nullable=False),
        sa.Column("content", types.Bytes()),
        schema="platform",
        sqlite_strict=True,
    )
    op.create_index("ix_api_answers_at", "api_answers", ["at"], schema="platform")
