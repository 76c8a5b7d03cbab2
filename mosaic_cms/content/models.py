"""A tenant's content.

The first five tables are the truth and are logged. The last four are the published projection:
derived, rebuilt at will, and all that a visitor can reach.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from mosaic_core import types
from mosaic_core.database import TenantBase, derived
from mosaic_core.types import new_id

#: Bytes of UTF-8 in a page's body, at most.
MAX_BODY = 1_000_000
MAX_TITLE = 300
MAX_PATH = 500


class Site(TenantBase):
    """One website of a tenant. ``key`` names it in domains and on the command line."""

    __tablename__ = "sites"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(types.Text(63), unique=True)
    position: Mapped[int] = mapped_column(types.Integer())
    title: Mapped[str] = mapped_column(types.Text(MAX_TITLE))
    tagline: Mapped[str] = mapped_column(types.Text(500))
    #: A BCP 47 tag.
    language: Mapped[str] = mapped_column(types.Text(35))
    theme: Mapped[str] = mapped_column(types.Text(63))
    #: The theme's own settings, such as its palette.
    theme_settings: Mapped[dict[str, Any]] = mapped_column(types.Json())
    #: Markdown.
    footer: Mapped[str] = mapped_column(types.Text())
    #: Lists of ``{"title": …, "path": …}``.
    menu: Mapped[list[dict[str, str]]] = mapped_column(types.Json())
    footer_menu: Mapped[list[dict[str, str]]] = mapped_column(types.Json())


class Page(TenantBase):
    """A page as its editors see it: the draft. What is live is a :class:`PageVersion`.

    ``details`` holds author, tags, date, image, image_alt and what else an import kept.
    """

    __tablename__ = "pages"
    __table_args__ = (
        UniqueConstraint("site_id", "path"),
        UniqueConstraint("site_id", "source"),
        {"sqlite_strict": True},
    )

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.sites.id"))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(
        types.Uuid(), ForeignKey("tenant.pages.id"), index=True
    )
    #: One or more path segments below the parent; empty for the home page.
    slug: Mapped[str] = mapped_column(types.Text(MAX_PATH))
    #: The whole address, such as ``/visit/hours/``.
    path: Mapped[str] = mapped_column(types.Text(MAX_PATH))
    position: Mapped[int] = mapped_column(types.Integer())
    layout: Mapped[str] = mapped_column(types.Text(63))
    title: Mapped[str] = mapped_column(types.Text(MAX_TITLE))
    summary: Mapped[str] = mapped_column(types.Text(1000))
    #: Markdown; links to pages are ``page:<id>``, to files ``media:<id>``.
    body: Mapped[str] = mapped_column(types.Text())
    details: Mapped[dict[str, Any]] = mapped_column(types.Json())
    #: Where an import found it; None for a page made by hand.
    source: Mapped[str | None] = mapped_column(types.Text(MAX_PATH))
    live_version_id: Mapped[uuid.UUID | None] = mapped_column(types.Uuid())
    #: How many versions it has; the newest has this number.
    version_count: Mapped[int] = mapped_column(types.Integer())
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    updated_at: Mapped[datetime] = mapped_column(types.UTCDateTime())


class PageVersion(TenantBase):
    """A page's content as it was published once. Never changed."""

    __tablename__ = "page_versions"
    __table_args__ = (UniqueConstraint("page_id", "number"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    page_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.pages.id"))
    number: Mapped[int] = mapped_column(types.Integer())
    layout: Mapped[str] = mapped_column(types.Text(63))
    title: Mapped[str] = mapped_column(types.Text(MAX_TITLE))
    summary: Mapped[str] = mapped_column(types.Text(1000))
    body: Mapped[str] = mapped_column(types.Text())
    details: Mapped[dict[str, Any]] = mapped_column(types.Json())
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    actor: Mapped[str] = mapped_column(types.Text(200))


class Redirect(TenantBase):
    """An old address and where it leads: a path of the site or an absolute URL."""

    __tablename__ = "redirects"
    __table_args__ = (UniqueConstraint("site_id", "source"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.sites.id"))
    source: Mapped[str] = mapped_column(types.Text(MAX_PATH))
    target: Mapped[str] = mapped_column(types.Text(2000))


class Media(TenantBase):
    """A stored file. Its object never changes: another content is another key."""

    __tablename__ = "media"
    __table_args__ = (UniqueConstraint("site_id", "source"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.sites.id"))
    source: Mapped[str | None] = mapped_column(types.Text(MAX_PATH))
    #: In the tenant's storage.
    key: Mapped[str] = mapped_column(types.Text(512))
    name: Mapped[str] = mapped_column(types.Text(180))
    content_type: Mapped[str] = mapped_column(types.Text(100))
    size: Mapped[int] = mapped_column(types.Integer())
    digest: Mapped[str] = mapped_column(types.Text(64))
    width: Mapped[int | None] = mapped_column(types.Integer())
    height: Mapped[int | None] = mapped_column(types.Integer())


class PublishedSite(TenantBase):
    """What surrounds every page of a site, in one language."""

    __tablename__ = "published_sites"
    __table_args__ = ({"sqlite_strict": True, "info": derived(publishes=True)},)

    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    language: Mapped[str] = mapped_column(types.Text(35), primary_key=True)
    key: Mapped[str] = mapped_column(types.Text(63))
    position: Mapped[int] = mapped_column(types.Integer())
    surround: Mapped[dict[str, Any]] = mapped_column(types.Json())


class PublishedPage(TenantBase):
    """One published page. ``html`` is None between being placed and being rendered."""

    __tablename__ = "published_pages"
    __table_args__ = (
        UniqueConstraint("site_id", "language", "path"),
        Index(None, "parent_id", "position"),
        {"sqlite_strict": True, "info": derived(publishes=True)},
    )

    page_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    language: Mapped[str] = mapped_column(types.Text(35), primary_key=True)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid())
    path: Mapped[str] = mapped_column(types.Text(MAX_PATH))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(types.Uuid())
    position: Mapped[int] = mapped_column(types.Integer())
    layout: Mapped[str] = mapped_column(types.Text(63))
    title: Mapped[str] = mapped_column(types.Text(MAX_TITLE))
    summary: Mapped[str] = mapped_column(types.Text(1000))
    #: What a listing shows of it: date, tags, image.
    card: Mapped[dict[str, Any]] = mapped_column(types.Json())
    #: The region ``main``, rendered.
    html: Mapped[str | None] = mapped_column(types.Text())
    #: What belongs into ``<head>``: description, canonical address, Open Graph.
    head: Mapped[str] = mapped_column(types.Text())
    #: Its words, for search.
    text: Mapped[str] = mapped_column(types.Text())
    theme_revision: Mapped[str] = mapped_column(types.Text(64))


class PublishedLink(TenantBase):
    """Page ``source_id``, as published, points to page ``target_id``."""

    __tablename__ = "published_links"
    __table_args__ = (
        Index(None, "target_id"),
        {"sqlite_strict": True, "info": derived()},
    )

    source_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    target_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)


class PublishedRedirect(TenantBase):
    """A redirect that visitors get."""

    __tablename__ = "published_redirects"
    __table_args__ = ({"sqlite_strict": True, "info": derived(publishes=True)},)

    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    source: Mapped[str] = mapped_column(types.Text(MAX_PATH), primary_key=True)
    target: Mapped[str] = mapped_column(types.Text(2000))
