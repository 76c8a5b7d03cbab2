"""Content: sites, pages, versions, redirects, media, and the published projection."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "c0001"
down_revision = None
branch_labels = ("content",)
depends_on = "k0001"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "published_links",
        sa.Column("source_id", types.Uuid(), primary_key=True),
        sa.Column("target_id", types.Uuid(), primary_key=True),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_published_links_target_id", "published_links", ["target_id"], schema="tenant"
    )
    op.create_table(
        "published_pages",
        sa.Column("page_id", types.Uuid(), primary_key=True),
        sa.Column("language", types.Text(35), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("path", types.Text(500), nullable=False),
        sa.Column("parent_id", types.Uuid()),
        sa.Column("position", types.Integer(), nullable=False),
        sa.Column("layout", types.Text(63), nullable=False),
        sa.Column("title", types.Text(300), nullable=False),
        sa.Column("summary", types.Text(1000), nullable=False),
        sa.Column("card", types.Json(), nullable=False),
        sa.Column("html", types.Text()),
        sa.Column("head", types.Text(), nullable=False),
        sa.Column("text", types.Text(), nullable=False),
        sa.Column("theme_revision", types.Text(64), nullable=False),
        sa.UniqueConstraint(
            "site_id", "language", "path", name="uq_published_pages_site_id_language_path"
        ),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_published_pages_parent_id_position",
        "published_pages",
        ["parent_id", "position"],
        schema="tenant",
    )
    op.create_table(
        "published_redirects",
        sa.Column("site_id", types.Uuid(), primary_key=True),
        sa.Column("source", types.Text(500), primary_key=True),
        sa.Column("target", types.Text(2000), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "published_sites",
        sa.Column("site_id", types.Uuid(), primary_key=True),
        sa.Column("language", types.Text(35), primary_key=True),
        sa.Column("key", types.Text(63), nullable=False),
        sa.Column("position", types.Integer(), nullable=False),
        sa.Column("surround", types.Json(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "sites",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("key", types.Text(63), nullable=False),
        sa.Column("position", types.Integer(), nullable=False),
        sa.Column("title", types.Text(300), nullable=False),
        sa.Column("tagline", types.Text(500), nullable=False),
        sa.Column("language", types.Text(35), nullable=False),
        sa.Column("theme", types.Text(63), nullable=False),
        sa.Column("theme_settings", types.Json(), nullable=False),
        sa.Column("footer", types.Text(), nullable=False),
        sa.Column("menu", types.Json(), nullable=False),
        sa.Column("footer_menu", types.Json(), nullable=False),
        sa.UniqueConstraint("key", name="uq_sites_key"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "media",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("source", types.Text(500)),
        sa.Column("key", types.Text(512), nullable=False),
        sa.Column("name", types.Text(180), nullable=False),
        sa.Column("content_type", types.Text(100), nullable=False),
        sa.Column("size", types.Integer(), nullable=False),
        sa.Column("digest", types.Text(64), nullable=False),
        sa.Column("width", types.Integer()),
        sa.Column("height", types.Integer()),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_media_site_id"),
        sa.UniqueConstraint("site_id", "source", name="uq_media_site_id_source"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "pages",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("parent_id", types.Uuid()),
        sa.Column("slug", types.Text(500), nullable=False),
        sa.Column("path", types.Text(500), nullable=False),
        sa.Column("position", types.Integer(), nullable=False),
        sa.Column("layout", types.Text(63), nullable=False),
        sa.Column("title", types.Text(300), nullable=False),
        sa.Column("summary", types.Text(1000), nullable=False),
        sa.Column("body", types.Text(), nullable=False),
        sa.Column("details", types.Json(), nullable=False),
        sa.Column("source", types.Text(500)),
        sa.Column("live_version_id", types.Uuid()),
        sa.Column("version_count", types.Integer(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["tenant.pages.id"], name="fk_pages_parent_id"),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_pages_site_id"),
        sa.UniqueConstraint("site_id", "path", name="uq_pages_site_id_path"),
        sa.UniqueConstraint("site_id", "source", name="uq_pages_site_id_source"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index("ix_pages_parent_id", "pages", ["parent_id"], schema="tenant")
    op.create_table(
        "redirects",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("source", types.Text(500), nullable=False),
        sa.Column("target", types.Text(2000), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_redirects_site_id"),
        sa.UniqueConstraint("site_id", "source", name="uq_redirects_site_id_source"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "page_versions",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("page_id", types.Uuid(), nullable=False),
        sa.Column("number", types.Integer(), nullable=False),
        sa.Column("layout", types.Text(63), nullable=False),
        sa.Column("title", types.Text(300), nullable=False),
        sa.Column("summary", types.Text(1000), nullable=False),
        sa.Column("body", types.Text(), nullable=False),
        sa.Column("details", types.Json(), nullable=False),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["tenant.pages.id"], name="fk_page_versions_page_id"),
        sa.UniqueConstraint("page_id", "number", name="uq_page_versions_page_id_number"),
        schema="tenant",
        sqlite_strict=True,
    )
