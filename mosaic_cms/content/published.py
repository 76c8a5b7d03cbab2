"""The published projection: derived, rebuilt at will, and all that a visitor can reach.

One row for each page; one for each site and language with what surrounds its pages; and what says
which rows a change concerns.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from mosaic_cms.content.models import MAX_PATH, MAX_TITLE
from mosaic_core import types
from mosaic_core.database import TenantBase, derived
from mosaic_core.search import Searchable, searched


class PublishedSite(TenantBase):
    """What surrounds every page of a site, in one language."""

    __tablename__ = "published_sites"
    __table_args__ = ({"sqlite_strict": True, "info": derived(publishes=True)},)

    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    language: Mapped[str] = mapped_column(types.Text(35), primary_key=True)
    key: Mapped[str] = mapped_column(types.Text(63))
    position: Mapped[int] = mapped_column(types.Integer())
    surround: Mapped[dict[str, Any]] = mapped_column(types.Json())


_SEARCHED = Searchable(
    title="title",
    summary="summary",
    text="text",
    by=("site_id", "language"),
    key=("page_id", "path"),
)


class PublishedPage(TenantBase):
    """One published page. ``html`` is None between being placed and being rendered."""

    __tablename__ = "published_pages"
    __table_args__ = (
        UniqueConstraint("site_id", "path"),
        Index(None, "parent_id", "position"),
        Index(None, "site_id", "language", "dated"),
        {"sqlite_strict": True, "info": derived(publishes=True) | searched(_SEARCHED)},
    )

    page_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid())
    language: Mapped[str] = mapped_column(types.Text(35))
    path: Mapped[str] = mapped_column(types.Text(MAX_PATH))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(types.Uuid())
    position: Mapped[int] = mapped_column(types.Integer())
    layout: Mapped[str] = mapped_column(types.Text(63))
    title: Mapped[str] = mapped_column(types.Text(MAX_TITLE))
    summary: Mapped[str] = mapped_column(types.Text(1000))
    #: What a listing shows of it: date, tags, image.
    card: Mapped[dict[str, Any]] = mapped_column(types.Json())
    #: When it is dated: its place among what is newest.
    dated: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    translation_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), index=True)
    #: All between header and footer, as the theme made it.
    html: Mapped[str | None] = mapped_column(types.Text())
    #: What belongs into ``<head>``, as :mod:`mosaic_cms.content.head_tags` makes it.
    head: Mapped[str] = mapped_column(types.Text())
    #: Where in ``html`` its own content is, counted from 1 as SQL does, without what the layout
    #: says around it: for feeds.
    body_start: Mapped[int] = mapped_column(types.Integer(), default=0)
    body_length: Mapped[int] = mapped_column(types.Integer(), default=0)
    #: When what it shows was published; None until it is rendered.
    changed_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    #: Whether search engines may list it.
    indexed: Mapped[bool] = mapped_column(types.Boolean(), default=True)
    #: Its words, for search.
    text: Mapped[str] = mapped_column(types.Text())
    #: The theme that made it, and its state.
    theme: Mapped[str] = mapped_column(types.Text(63))
    theme_revision: Mapped[str] = mapped_column(types.Text(64))


class PublishedDependency(TenantBase):
    """Page ``page_id``, as published, shows something of ``target``.

    A target is ``page:<id>`` (its title, address or card), ``below:<id>`` (which pages are right
    below it), ``tag:<site id>:<slug>`` or ``shared:<id>``.
    """

    __tablename__ = "published_dependencies"
    __table_args__ = (
        Index(None, "target"),
        {"sqlite_strict": True, "info": derived()},
    )

    page_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    target: Mapped[str] = mapped_column(types.Text(300), primary_key=True)


class PublishedTerm(TenantBase):
    """A published page has a tag or a category, is somebody's, or is of a month."""

    __tablename__ = "published_terms"
    __table_args__ = (
        Index(None, "site_id", "language", "kind", "slug"),
        {"sqlite_strict": True, "info": derived(publishes=True)},
    )

    page_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    #: tag, category, author, or archive, whose slugs are months such as ``2025-03``.
    kind: Mapped[str] = mapped_column(types.Text(20), primary_key=True)
    slug: Mapped[str] = mapped_column(types.Text(200), primary_key=True)
    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid())
    language: Mapped[str] = mapped_column(types.Text(35))
    title: Mapped[str] = mapped_column(types.Text(200))


class PublishedForm(TenantBase):
    """A form that a published page shows: what visitors' answers are checked against.

    ``definition`` is the data of the block.
    """

    __tablename__ = "published_forms"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    page_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    form_id: Mapped[str] = mapped_column(types.Text(36), primary_key=True)
    definition: Mapped[dict[str, Any]] = mapped_column(types.Json())


class ContentReference(TenantBase):
    """Something points to something: what "where is this used" is answered from.

    Both ends are ``page:<id>``, ``shared:<id>``, ``media:<id>`` or ``menu:<id>``.
    """

    __tablename__ = "content_references"
    __table_args__ = (
        Index(None, "target"),
        {"sqlite_strict": True, "info": derived()},
    )

    source: Mapped[str] = mapped_column(types.Text(45), primary_key=True)
    target: Mapped[str] = mapped_column(types.Text(45), primary_key=True)
    #: draft, live or both.
    state: Mapped[str] = mapped_column(types.Text(10))


class PublishedRedirect(TenantBase):
    """A redirect that visitors get."""

    __tablename__ = "published_redirects"
    __table_args__ = ({"sqlite_strict": True, "info": derived(publishes=True)},)

    site_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    source: Mapped[str] = mapped_column(types.Text(MAX_PATH), primary_key=True)
    target: Mapped[str] = mapped_column(types.Text(2000))
