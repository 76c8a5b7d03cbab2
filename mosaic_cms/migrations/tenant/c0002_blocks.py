"""Blocks: pages have regions of them; menus, languages, releases, schedules, forms and comments.

Tables that change their shape are made anew: their rows wait in tables without constraints while
the old ones go and the new ones come, which every database can do.
"""

import uuid
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "c0002"
down_revision = "c0001"
branch_labels = None
depends_on = None
phase = "contract"
needs = "c0002"
renders = True

Row = dict[str, Any]

#: Those that change, children before parents.
_KEPT = {
    "published_pages": (
        "page_id language site_id path parent_id position layout title summary card html head "
        "text theme_revision"
    ),
    "published_sites": "site_id language key position surround",
    "page_versions": "id page_id number layout title summary body details at actor",
    "redirects": "id site_id source target",
    "media": "id site_id source key name content_type size digest width height",
    "pages": (
        "id site_id parent_id slug path position layout title summary body details source "
        "live_version_id version_count created_at updated_at"
    ),
    "sites": "id key position title tagline language theme theme_settings footer menu footer_menu",
}
_TYPES: dict[str, Callable[[], Any]] = {
    "at": types.UTCDateTime,
    "automatic": types.Boolean,
    "binned_at": types.UTCDateTime,
    "body_length": types.Integer,
    "body_start": types.Integer,
    "card": types.Json,
    "changed_at": types.UTCDateTime,
    "created_at": types.UTCDateTime,
    "dated": types.UTCDateTime,
    "details": types.Json,
    "footer_menu": types.Json,
    "height": types.Integer,
    "id": types.Uuid,
    "indexed": types.Boolean,
    "items": types.Json,
    "languages": types.Json,
    "live_version_id": types.Uuid,
    "menu": types.Json,
    "number": types.Integer,
    "page_id": types.Uuid,
    "parent_id": types.Uuid,
    "position": types.Integer,
    "regions": types.Json,
    "revision": types.Integer,
    "site_id": types.Uuid,
    "size": types.Integer,
    "surround": types.Json,
    "theme_settings": types.Json,
    "translation_id": types.Uuid,
    "updated_at": types.UTCDateTime,
    "version_count": types.Integer,
    "width": types.Integer,
}


def upgrade() -> None:
    connection = op.get_bind()
    for name, columns in _KEPT.items():
        waiting = _waiting(name)
        waiting.create(connection)
        old = _table(name, columns.split())
        connection.execute(sa.insert(waiting).from_select(columns.split(), sa.select(old)))
    for name in ("published_links", *_KEPT):
        op.drop_table(name, schema="tenant")
    _create()
    sites = {row["id"]: row for row in _rows(connection, "sites")}
    _move(connection, "sites", _site)
    _menus(connection, sites)
    _move(connection, "media", dict)
    _move(connection, "pages", lambda row: _page(row, sites[row["site_id"]]))
    _parents(connection)
    _move(connection, "page_versions", _version)
    _move(connection, "redirects", lambda row: {**row, "automatic": False})
    _move(connection, "published_sites", _published_site)
    _move(connection, "published_pages", lambda row: _published_page(row, sites[row["site_id"]]))
    for name in _KEPT:
        op.drop_table(f"c0002_{name}", schema="tenant")


def _site(row: Row) -> Row:
    return {**_without(row, "menu", "footer_menu"), "languages": [], "time_zone": "UTC"}


def _menus(connection: sa.Connection, sites: dict[uuid.UUID, Row]) -> None:
    for site in sites.values():
        for place, old in (("header", site["menu"]), ("footer", site["footer_menu"])):
            items = [{"title": item["title"], "target": item["path"], "items": []} for item in old]
            row = {"site_id": site["id"], "place": place, "language": site["language"]}
            if items:
                _insert(connection, "menus", [{"id": types.new_id(), "items": items, **row}])


def _page(row: Row, site: Row) -> Row:
    return {
        **_without(row, "body"),
        "parent_id": None,  # which may be of a page that comes later
        "regions": _regions(row["body"], row["id"]),
        "language": site["language"],
        "translation_id": row["id"],
        "revision": 0,
        "binned_at": None,
        "binned_path": None,
        "binned_source": None,
    }


def _parents(connection: sa.Connection) -> None:
    waiting = _waiting("pages")
    pages = _table("pages", ("id", "parent_id"))
    parent = sa.select(waiting.c.parent_id).where(waiting.c.id == pages.c.id).scalar_subquery()
    connection.execute(sa.update(pages).values(parent_id=parent))


def _version(row: Row) -> Row:
    regions = _regions(row["body"], row["page_id"])
    return {**_without(row, "body"), "regions": regions, "name": None}


def _published_site(row: Row) -> Row:
    surround = row["surround"]
    menus = {"header": surround.pop("menu"), "footer": surround.pop("footer_menu")}
    shown = {
        place: [{"title": item["title"], "url": item["path"], "items": []} for item in items]
        for place, items in menus.items()
        if items
    }
    return {**row, "surround": {**surround, "languages": [row["language"]], "menus": shown}}


def _published_page(row: Row, site: Row) -> Row:
    card = {**row["card"], "categories": [], "author": ""}
    later = {"dated": None, "translation_id": row["page_id"], "theme": site["theme"]}
    later |= {"body_start": 0, "body_length": 0, "changed_at": None, "indexed": True}
    # Of another state than any theme: it is rendered again soon, and shown as it is until then.
    return {**row, **later, "card": card, "theme_revision": ""}


def _regions(body: str, page_id: uuid.UUID) -> dict[str, Any]:
    """What was a page's Markdown, as a block; its id is the page's, so that versions compare."""
    block = {"id": str(page_id), "type": "markdown", "version": 1, "data": {"text": body}}
    return {"main": [block]} if body else {}


def _table(name: str, columns: Iterable[str], **options: Any) -> sa.Table:
    made = (sa.Column(c, _TYPES.get(c, types.Text)()) for c in columns)
    return sa.Table(name, sa.MetaData(schema="tenant"), *made, **options)


def _waiting(name: str) -> sa.Table:
    return _table(f"c0002_{name}", _KEPT[name].split(), sqlite_strict=True)


def _rows(connection: sa.Connection, name: str) -> list[Row]:
    return [dict(row) for row in connection.execute(sa.select(_waiting(name))).mappings()]


def _move(connection: sa.Connection, name: str, change: Callable[[Row], Row]) -> None:
    """Puts what waited into the new table, a hundred rows at a time."""
    waiting = _waiting(name)
    key = next(iter(waiting.columns))
    last: Any = None
    while True:
        query = sa.select(waiting).order_by(key).limit(100)
        if last is not None:
            query = query.where(key > last)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        if not rows:
            return
        last = rows[-1][key.name]
        _insert(connection, name, [change(row) for row in rows])


def _insert(connection: sa.Connection, name: str, rows: list[Row]) -> None:
    connection.execute(sa.insert(_table(name, rows[0])), rows)


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _create() -> None:
    op.create_table(
        "content_references",
        sa.Column("source", types.Text(45), primary_key=True),
        sa.Column("target", types.Text(45), primary_key=True),
        sa.Column("state", types.Text(10), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_content_references_target", "content_references", ["target"], schema="tenant"
    )
    op.create_table(
        "draft_steps",
        sa.Column("page_id", types.Uuid(), primary_key=True),
        sa.Column("revision", types.Integer(), primary_key=True, autoincrement=False),
        sa.Column("size", types.Integer(), nullable=False),
        sa.Column("step", types.Json(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "published_dependencies",
        sa.Column("page_id", types.Uuid(), primary_key=True),
        sa.Column("target", types.Text(300), primary_key=True),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_published_dependencies_target", "published_dependencies", ["target"], schema="tenant"
    )
    op.create_table(
        "published_forms",
        sa.Column("page_id", types.Uuid(), primary_key=True),
        sa.Column("form_id", types.Text(36), primary_key=True),
        sa.Column("definition", types.Json(), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "published_pages",
        sa.Column("page_id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("language", types.Text(35), nullable=False),
        sa.Column("path", types.Text(500), nullable=False),
        sa.Column("parent_id", types.Uuid()),
        sa.Column("position", types.Integer(), nullable=False),
        sa.Column("layout", types.Text(63), nullable=False),
        sa.Column("title", types.Text(300), nullable=False),
        sa.Column("summary", types.Text(1000), nullable=False),
        sa.Column("card", types.Json(), nullable=False),
        sa.Column("dated", types.UTCDateTime()),
        sa.Column("translation_id", types.Uuid(), nullable=False),
        sa.Column("html", types.Text()),
        sa.Column("head", types.Text(), nullable=False),
        sa.Column("body_start", types.Integer(), nullable=False),
        sa.Column("body_length", types.Integer(), nullable=False),
        sa.Column("changed_at", types.UTCDateTime()),
        sa.Column("indexed", types.Boolean(), nullable=False),
        sa.Column("text", types.Text(), nullable=False),
        sa.Column("theme", types.Text(63), nullable=False),
        sa.Column("theme_revision", types.Text(64), nullable=False),
        sa.UniqueConstraint("site_id", "path", name="uq_published_pages_site_id_path"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_published_pages_parent_id_position",
        "published_pages",
        ["parent_id", "position"],
        schema="tenant",
    )
    op.create_index(
        "ix_published_pages_site_id_language_dated",
        "published_pages",
        ["site_id", "language", "dated"],
        schema="tenant",
    )
    op.create_index(
        "ix_published_pages_translation_id", "published_pages", ["translation_id"], schema="tenant"
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
        "published_terms",
        sa.Column("page_id", types.Uuid(), primary_key=True),
        sa.Column("kind", types.Text(20), primary_key=True),
        sa.Column("slug", types.Text(200), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("language", types.Text(35), nullable=False),
        sa.Column("title", types.Text(200), nullable=False),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_published_terms_site_id_language_kind_slug",
        "published_terms",
        ["site_id", "language", "kind", "slug"],
        schema="tenant",
    )
    op.create_table(
        "sites",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("key", types.Text(63), nullable=False),
        sa.Column("position", types.Integer(), nullable=False),
        sa.Column("title", types.Text(300), nullable=False),
        sa.Column("tagline", types.Text(500), nullable=False),
        sa.Column("language", types.Text(35), nullable=False),
        sa.Column("languages", types.Json(), nullable=False),
        sa.Column("time_zone", types.Text(63), nullable=False),
        sa.Column("theme", types.Text(63), nullable=False),
        sa.Column("theme_settings", types.Json(), nullable=False),
        sa.Column("footer", types.Text(), nullable=False),
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
        "menus",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("place", types.Text(20), nullable=False),
        sa.Column("language", types.Text(35), nullable=False),
        sa.Column("items", types.Json(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_menus_site_id"),
        sa.UniqueConstraint("site_id", "place", "language", name="uq_menus_site_id_place_language"),
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
        sa.Column("language", types.Text(35), nullable=False),
        sa.Column("translation_id", types.Uuid(), nullable=False),
        sa.Column("title", types.Text(300), nullable=False),
        sa.Column("summary", types.Text(1000), nullable=False),
        sa.Column("regions", types.Json(), nullable=False),
        sa.Column("details", types.Json(), nullable=False),
        sa.Column("revision", types.Integer(), nullable=False),
        sa.Column("source", types.Text(500)),
        sa.Column("live_version_id", types.Uuid()),
        sa.Column("version_count", types.Integer(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), nullable=False),
        sa.Column("binned_at", types.UTCDateTime()),
        sa.Column("binned_path", types.Text(500)),
        sa.Column("binned_source", types.Text(500)),
        sa.ForeignKeyConstraint(["parent_id"], ["tenant.pages.id"], name="fk_pages_parent_id"),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_pages_site_id"),
        sa.UniqueConstraint("site_id", "path", name="uq_pages_site_id_path"),
        sa.UniqueConstraint("site_id", "source", name="uq_pages_site_id_source"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index("ix_pages_parent_id", "pages", ["parent_id"], schema="tenant")
    op.create_index("ix_pages_translation_id", "pages", ["translation_id"], schema="tenant")
    op.create_table(
        "redirects",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("source", types.Text(500), nullable=False),
        sa.Column("target", types.Text(2000), nullable=False),
        sa.Column("automatic", types.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_redirects_site_id"),
        sa.UniqueConstraint("site_id", "source", name="uq_redirects_site_id_source"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "releases",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("title", types.Text(200), nullable=False),
        sa.Column("pages", types.Json(), nullable=False),
        sa.Column("created_at", types.UTCDateTime(), nullable=False),
        sa.Column("released_at", types.UTCDateTime()),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_releases_site_id"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index("ix_releases_site_id", "releases", ["site_id"], schema="tenant")
    op.create_table(
        "shared_blocks",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("name", types.Text(200), nullable=False),
        sa.Column("blocks", types.Json(), nullable=False),
        sa.Column("live", types.Json()),
        sa.Column("revision", types.Integer(), nullable=False),
        sa.Column("updated_at", types.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_shared_blocks_site_id"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index("ix_shared_blocks_site_id", "shared_blocks", ["site_id"], schema="tenant")
    op.create_table(
        "comments",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("page_id", types.Uuid(), nullable=False),
        sa.Column("parent_id", types.Uuid()),
        sa.Column("source", types.Text(100)),
        sa.Column("author", types.Text(300), nullable=False),
        sa.Column("email", types.Text(320), nullable=False),
        sa.Column("address", types.Text(2000), nullable=False),
        sa.Column("at", types.UTCDateTime()),
        sa.Column("text", types.Text(), nullable=False),
        sa.Column("approved", types.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["tenant.pages.id"], name="fk_comments_page_id"),
        sa.UniqueConstraint("page_id", "source", name="uq_comments_page_id_source"),
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
        sa.Column("regions", types.Json(), nullable=False),
        sa.Column("details", types.Json(), nullable=False),
        sa.Column("name", types.Text(200)),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["tenant.pages.id"], name="fk_page_versions_page_id"),
        sa.UniqueConstraint("page_id", "number", name="uq_page_versions_page_id_number"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_table(
        "schedules",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("site_id", types.Uuid(), nullable=False),
        sa.Column("page_id", types.Uuid()),
        sa.Column("release_id", types.Uuid()),
        sa.Column("action", types.Text(20), nullable=False),
        sa.Column("due", types.UTCDateTime(), nullable=False),
        sa.Column("time_zone", types.Text(63), nullable=False),
        sa.Column("actor", types.Text(200), nullable=False),
        sa.Column("failure", types.Text(2000)),
        sa.ForeignKeyConstraint(["page_id"], ["tenant.pages.id"], name="fk_schedules_page_id"),
        sa.ForeignKeyConstraint(
            ["release_id"], ["tenant.releases.id"], name="fk_schedules_release_id"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["tenant.sites.id"], name="fk_schedules_site_id"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index("ix_schedules_due", "schedules", ["due"], schema="tenant")
    op.create_index("ix_schedules_page_id", "schedules", ["page_id"], schema="tenant")
    op.create_index("ix_schedules_release_id", "schedules", ["release_id"], schema="tenant")
    op.create_table(
        "submissions",
        sa.Column("id", types.Uuid(), primary_key=True),
        sa.Column("page_id", types.Uuid(), nullable=False),
        sa.Column("form_id", types.Text(36), nullable=False),
        sa.Column("at", types.UTCDateTime(), nullable=False),
        sa.Column("fields", types.Json(), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["tenant.pages.id"], name="fk_submissions_page_id"),
        schema="tenant",
        sqlite_strict=True,
    )
    op.create_index(
        "ix_submissions_page_id_form_id_at",
        "submissions",
        ["page_id", "form_id", "at"],
        schema="tenant",
    )
