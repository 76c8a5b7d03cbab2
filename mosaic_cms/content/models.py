"""A tenant's content.

These tables are the truth and are logged; what visitors see is in
:mod:`mosaic_cms.content.published`.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from mosaic_core import types
from mosaic_core.database import TenantBase
from mosaic_core.types import new_id

MAX_TITLE = 300
MAX_PATH = 500


def _now() -> datetime:
    return datetime.now(UTC)


class Site(TenantBase):
    """One website of a tenant. ``key`` names it in domains and on the command line."""

    __tablename__ = "sites"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(types.Text(63), unique=True)
    position: Mapped[int] = mapped_column(types.Integer())
    title: Mapped[str] = mapped_column(types.Text(MAX_TITLE))
    tagline: Mapped[str] = mapped_column(types.Text(500))
    #: A BCP 47 tag: that of the pages which are in no other language.
    language: Mapped[str] = mapped_column(types.Text(35))
    #: The other languages, in their order; the pages of each stand below ``/<tag>/``.
    languages: Mapped[list[str]] = mapped_column(types.Json())
    #: An IANA name: the time in which its editors think.
    time_zone: Mapped[str] = mapped_column(types.Text(63))
    theme: Mapped[str] = mapped_column(types.Text(63))
    #: The theme's own settings, such as its palette.
    theme_settings: Mapped[dict[str, Any]] = mapped_column(types.Json())
    #: Markdown.
    footer: Mapped[str] = mapped_column(types.Text())
    #: ``{"public", "origins"}``: whether anybody may read what is published over the API, and whose
    #: pages a browser lets do so. None is nobody.
    api: Mapped[dict[str, Any] | None] = mapped_column(types.Json())


class Menu(TenantBase):
    """One menu of a site in one language.

    ``items`` are ``{"title", "target", "items"}``; a target is ``page:<id>``, a path or an address.
    """

    __tablename__ = "menus"
    __table_args__ = (UniqueConstraint("site_id", "place", "language"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.sites.id"))
    #: header, footer or side.
    place: Mapped[str] = mapped_column(types.Text(20))
    language: Mapped[str] = mapped_column(types.Text(35))
    items: Mapped[list[dict[str, Any]]] = mapped_column(types.Json())


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
    #: A BCP 47 tag; a page has that of the page above it.
    language: Mapped[str] = mapped_column(types.Text(35))
    #: The same for pages that are translations of each other; a page alone has its own.
    translation_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), index=True)
    title: Mapped[str] = mapped_column(types.Text(MAX_TITLE))
    summary: Mapped[str] = mapped_column(types.Text(1000))
    #: ``{region: [block, …]}``, as :mod:`mosaic_cms.blocks.stored` has it.
    regions: Mapped[dict[str, Any]] = mapped_column(types.Json())
    details: Mapped[dict[str, Any]] = mapped_column(types.Json())
    #: Counts the saves of the draft: an editor says on which of them a change is based.
    revision: Mapped[int] = mapped_column(types.Integer())
    #: Where an import found it; None for a page made by hand.
    source: Mapped[str | None] = mapped_column(types.Text(MAX_PATH))
    #: What the import read there (see ``importing.memory``).
    source_digest: Mapped[str | None] = mapped_column(types.Text(128))
    live_version_id: Mapped[uuid.UUID | None] = mapped_column(types.Uuid())
    #: How many versions it has; the newest has this number.
    version_count: Mapped[int] = mapped_column(types.Integer())
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    updated_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    #: Since when it is in the bin, and what it had before: its path is none that leads to it there,
    #: and its source is free for another page.
    binned_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    binned_path: Mapped[str | None] = mapped_column(types.Text(MAX_PATH))
    binned_source: Mapped[str | None] = mapped_column(types.Text(MAX_PATH))

    @hybrid_property
    def known_path(self) -> str:
        """The path by which people know it: in the bin, the one that it had."""
        return self.path if self.binned_path is None else self.binned_path

    @known_path.inplace.expression
    @classmethod
    def _known_path(cls) -> ColumnElement[str]:
        return func.coalesce(cls.binned_path, cls.path)


class PageVersion(TenantBase):
    """A page's content as it was once: when it was published, or when an editor named it.

    Only the name may change.
    """

    __tablename__ = "page_versions"
    __table_args__ = (UniqueConstraint("page_id", "number"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    page_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.pages.id"))
    number: Mapped[int] = mapped_column(types.Integer())
    layout: Mapped[str] = mapped_column(types.Text(63))
    title: Mapped[str] = mapped_column(types.Text(MAX_TITLE))
    summary: Mapped[str] = mapped_column(types.Text(1000))
    regions: Mapped[dict[str, Any]] = mapped_column(types.Json())
    details: Mapped[dict[str, Any]] = mapped_column(types.Json())
    name: Mapped[str | None] = mapped_column(types.Text(200))
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    actor: Mapped[str] = mapped_column(types.Text(200))


class Redirect(TenantBase):
    """An old address and where it leads: a path of the site, ``page:<id>`` or an absolute URL.

    ``automatic`` ones came about when a page, or the list of a tag, got another address.
    """

    __tablename__ = "redirects"
    __table_args__ = (UniqueConstraint("site_id", "source"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.sites.id"))
    source: Mapped[str] = mapped_column(types.Text(MAX_PATH))
    target: Mapped[str] = mapped_column(types.Text(2000))
    automatic: Mapped[bool] = mapped_column(types.Boolean())


class SharedBlock(TenantBase):
    """Blocks that several pages show. ``live`` is what visitors see of them."""

    __tablename__ = "shared_blocks"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(
        types.Uuid(), ForeignKey("tenant.sites.id"), index=True
    )
    name: Mapped[str] = mapped_column(types.Text(200))
    blocks: Mapped[list[dict[str, Any]]] = mapped_column(types.Json())
    live: Mapped[list[dict[str, Any]] | None] = mapped_column(types.Json())
    #: Counts the saves, as that of a page does.
    revision: Mapped[int] = mapped_column(types.Integer())
    updated_at: Mapped[datetime] = mapped_column(types.UTCDateTime())


class Release(TenantBase):
    """Pages that are published or unpublished together, or not at all."""

    __tablename__ = "releases"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(
        types.Uuid(), ForeignKey("tenant.sites.id"), index=True
    )
    title: Mapped[str] = mapped_column(types.Text(200))
    #: ``{page id: publish | unpublish}``.
    pages: Mapped[dict[str, str]] = mapped_column(types.Json())
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    released_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())


class Schedule(TenantBase):
    """Something that happens to a page or a release at an instant."""

    __tablename__ = "schedules"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.sites.id"))
    page_id: Mapped[uuid.UUID | None] = mapped_column(
        types.Uuid(), ForeignKey("tenant.pages.id"), index=True
    )
    release_id: Mapped[uuid.UUID | None] = mapped_column(
        types.Uuid(), ForeignKey("tenant.releases.id"), index=True
    )
    #: publish or unpublish.
    action: Mapped[str] = mapped_column(types.Text(20))
    due: Mapped[datetime] = mapped_column(types.UTCDateTime(), index=True)
    #: The zone in which the time was given.
    time_zone: Mapped[str] = mapped_column(types.Text(63))
    actor: Mapped[str] = mapped_column(types.Text(200))
    #: Why it could not be done; an editor decides what becomes of it then.
    failure: Mapped[str | None] = mapped_column(types.Text(2000))


class Submission(TenantBase):
    """A form that a visitor filled in. ``form_id`` is the block's."""

    __tablename__ = "submissions"
    __table_args__ = (Index(None, "page_id", "form_id", "at"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    page_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.pages.id"))
    form_id: Mapped[str] = mapped_column(types.Text(36))
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    #: Label and value of each field, in the form's order.
    fields: Mapped[list[dict[str, str]]] = mapped_column(types.Json())


class Comment(TenantBase):
    """What somebody said below a page elsewhere; an import keeps it."""

    __tablename__ = "comments"
    __table_args__ = (UniqueConstraint("page_id", "source"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    page_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.pages.id"))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(types.Uuid())
    source: Mapped[str | None] = mapped_column(types.Text(100))
    author: Mapped[str] = mapped_column(types.Text(300))
    email: Mapped[str] = mapped_column(types.Text(320))
    address: Mapped[str] = mapped_column(types.Text(2000))
    at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    text: Mapped[str] = mapped_column(types.Text())
    approved: Mapped[bool] = mapped_column(types.Boolean())


class Media(TenantBase):
    """A file of a site's library. Its object never changes: another content is another key, and the
    one before is a :class:`MediaVersion`."""

    __tablename__ = "media"
    __table_args__ = (
        UniqueConstraint("site_id", "source"),
        Index(None, "site_id", "folder"),
        {"sqlite_strict": True},
    )

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.sites.id"))
    source: Mapped[str | None] = mapped_column(types.Text(MAX_PATH))
    #: In the tenant's storage.
    key: Mapped[str] = mapped_column(types.Text(512))
    name: Mapped[str] = mapped_column(types.Text(180))
    content_type: Mapped[str] = mapped_column(types.Text(100))
    size: Mapped[int] = mapped_column(types.Integer())
    digest: Mapped[str] = mapped_column(types.Text(64), index=True)
    width: Mapped[int | None] = mapped_column(types.Integer())
    height: Mapped[int | None] = mapped_column(types.Integer())
    #: The point that matters in a picture, in percent from the left and from the top; None is the
    #: middle.
    focal_x: Mapped[int | None] = mapped_column(types.Integer())
    focal_y: Mapped[int | None] = mapped_column(types.Integer())
    #: The digest of what was sent, where what is stored is another content; None where it is not.
    given: Mapped[str | None] = mapped_column(types.Text(64))
    #: Names with ``/`` between them; "" is the library itself.
    folder: Mapped[str] = mapped_column(types.Text(300), default="")
    tags: Mapped[list[str]] = mapped_column(types.Json(), default=list)
    #: What it shows, for those who do not see it, where a page says nothing else.
    alt: Mapped[str] = mapped_column(types.Text(1000), default="")
    caption: Mapped[str] = mapped_column(types.Text(2000), default="")
    credit: Mapped[str] = mapped_column(types.Text(500), default="")
    #: All of these in small letters, to be searched.
    words: Mapped[str] = mapped_column(types.Text(), default="")
    #: Counts its contents, from 1.
    version: Mapped[int] = mapped_column(types.Integer(), default=1)
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime(), default=_now)
    updated_at: Mapped[datetime] = mapped_column(types.UTCDateTime(), default=_now)
    #: Since when it is in the bin, where no visitor sees it.
    binned_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime(), index=True)


class MediaVersion(TenantBase):
    """A content that a file of the library had before."""

    __tablename__ = "media_versions"
    __table_args__ = (UniqueConstraint("media_id", "number"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    media_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey("tenant.media.id"))
    number: Mapped[int] = mapped_column(types.Integer())
    key: Mapped[str] = mapped_column(types.Text(512))
    name: Mapped[str] = mapped_column(types.Text(180))
    content_type: Mapped[str] = mapped_column(types.Text(100))
    size: Mapped[int] = mapped_column(types.Integer())
    digest: Mapped[str] = mapped_column(types.Text(64), index=True)
    given: Mapped[str | None] = mapped_column(types.Text(64))
    width: Mapped[int | None] = mapped_column(types.Integer())
    height: Mapped[int | None] = mapped_column(types.Integer())
    #: When it was replaced, and by whom.
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    actor: Mapped[str] = mapped_column(types.Text(200))


class MediaUpload(TenantBase):
    """A file that is coming. It is noted before anything of it is stored, so that whatever is
    stored and is in no row was left behind."""

    __tablename__ = "media_uploads"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    site_id: Mapped[uuid.UUID] = mapped_column(
        types.Uuid(), ForeignKey("tenant.sites.id"), index=True
    )
    #: The file that it replaces; None for a new one.
    media_id: Mapped[uuid.UUID | None] = mapped_column(types.Uuid())
    key: Mapped[str] = mapped_column(types.Text(512))
    #: As the storage knows it, where it comes in parts.
    parts_id: Mapped[str | None] = mapped_column(types.Text(500))
    name: Mapped[str] = mapped_column(types.Text(1000))
    size: Mapped[int | None] = mapped_column(types.Integer())
    #: What is said of it: folder, tags, alt, caption, credit.
    facts: Mapped[dict[str, Any]] = mapped_column(types.Json())
    actor: Mapped[str] = mapped_column(types.Text(200))
    begun_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(types.UTCDateTime(), index=True)


class TenantSetting(TenantBase):
    """What a tenant decided for all of its sites, by the name of what it is about."""

    __tablename__ = "tenant_settings"
    __table_args__ = ({"sqlite_strict": True},)

    name: Mapped[str] = mapped_column(types.Text(63), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(types.Json())
