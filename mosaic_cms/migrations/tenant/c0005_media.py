"""The media library: words, folders, versions and the bin of stored files, and files that come in
parts.

The table of files is made anew, as in c0002: its rows wait in a table without constraints.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "c0005"
down_revision = "c0004"
branch_labels = None
depends_on = None
phase = "contract"
needs = "c0005"
renders = True

_TEXTS = ("key", "name", "content_type", "digest", "source")
_NUMBERS = ("size", "width", "height", "focal_x", "focal_y")
_IDS = ("id", "site_id")


def upgrade() -> None:
    connection = op.get_bind()
    old = _table("media")
    waiting = sa.Table("c0005_media", sa.MetaData(), *_columns(), schema="tenant")
    waiting.create(connection)
    names = [*_IDS, *_TEXTS, *_NUMBERS]
    connection.execute(
        sa.insert(waiting).from_select(names, sa.select(*(old.c[name] for name in names)))
    )
    op.drop_table("media", schema="tenant")
    _create()
    new = sa.Table("media", sa.MetaData(), *_columns(), *_new_columns(), schema="tenant")
    for row in connection.execute(sa.select(waiting)).mappings().all():
        at = _made_at(row["id"])
        connection.execute(
            sa.insert(new).values(
                **row,
                folder="",
                tags=[],
                alt="",
                caption="",
                credit="",
                words=row["name"].casefold(),
                version=1,
                created_at=at,
                updated_at=at,
            )
        )
    op.drop_table("c0005_media", schema="tenant")


def _made_at(key: uuid.UUID) -> datetime:
    """When a row was made: its id says so (RFC 9562, 5.7)."""
    if key.version != 7:
        return datetime.now(UTC)
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


def _table(name: str) -> sa.Table:
    return sa.Table(name, sa.MetaData(), *_columns(), schema="tenant")


def _columns() -> list[sa.Column[Any]]:
    return [
        *(sa.Column(name, types.Uuid()) for name in _IDS),
        *(sa.Column(name, types.Text()) for name in _TEXTS),
        *(sa.Column(name, types.Integer()) for name in _NUMBERS),
    ]


def _new_columns() -> list[sa.Column[Any]]:
    texts = ("folder", "alt", "caption", "credit", "words")
    return [
        *(sa.Column(name, types.Text()) for name in texts),
        sa.Column("tags", types.Json()),
        sa.Column("version", types.Integer()),
        sa.Column("created_at", types.UTCDateTime()),
        sa.Column("updated_at", types.UTCDateTime()),
    ]


def _create() -> None:
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
        sa.Column("focal_x", types.Integer()),
        sa.Column("focal_y", types.Integer()),
        sa.Column("given", types.Text(64)),
        sa.Column("folder", types.Text(300), nullable=False),
        sa.Column("tags", types.Json(), nullable=False),
        sa.Column("alt", types.Text(1000), nullable=False),
        sa.Column("caption", types.Text(2000), nullable=False),
        sa.Column("credit", types.Text(500), nullable=False),
        sa.Column("words", types.Text(), nullable=False),
        sa.Column("version", types.Integer(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), nullable=False),
        sa.Column("binned_at", types.UTCDateTime()),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_media_site_id"),
        sa.UniqueConstraint("site_id", "source", name="uq_media_site_id_source"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index("ix_media_site_id_folder", "media", ["site_id", "folder"], schema="tenant")
    op.create_index("ix_media_digest", "media", ["digest"], schema="tenant")
    op.create_index("ix_media_binned_at", "media", ["binned_at"], schema="tenant")
    op.create_table(
        "media_versions",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("media_id", types.Uuid(), nullable=False),
        sa.Column("number", types.Integer(), nullable=False),
        sa.Column("key", types.Text(512), nullable=False),
        sa.Column("name", types.Text(180), nullable=False),
        sa.Column("content_type", types.Text(100), nullable=False),
        sa.Column("size", types.Integer(), nullable=False),
        sa.Column("digest", types.Text(64), nullable=False),
        sa.Column("given", types.Text(64)),
        sa.Column("width", types.Integer()),
        sa.Column("height", types.Integer()),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.ForeignKeyConstraint(
            ["media_id"], ["tenant.media.id"], name="fk_media_versions_media_id"
        ),
        sa.UniqueConstraint("media_id", "number", name="uq_media_versions_media_id_number"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index("ix_media_versions_digest", "media_versions", ["digest"], schema="tenant")
    op.create_table(
        "media_uploads",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("media_id", types.Uuid()),
        sa.Column("key", types.Text(512), nullable=False),
        sa.Column("parts_id", types.Text(500)),
        sa.Column("name", types.Text(1000), nullable=False),
        sa.Column("size", types.Integer()),
        sa.Column("facts", types.Json(), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.Column("begun_at", types.UTCDateTime(), nullable=False),
        sa.Column("expires_at", types.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_media_uploads_site_id"),
        schema="tenant",
        sqlite_strict=True,
    )
    for name in ("site_id", "expires_at"):
        op.create_index(f"ix_media_uploads_{name}", "media_uploads", [name], schema="tenant")
    op.create_table(
        "tenant_settings",
        sa.Column("name", types.Text(63), primary_key=True),
        sa.Column("value", types.Json(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
