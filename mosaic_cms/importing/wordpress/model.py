"""What reading a WordPress export makes: a site's pages, menus, comments and files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mosaic_cms.blocks.stored import Stored
from mosaic_cms.importing.report import Report
from mosaic_cms.importing.scan import SourceFile

Layout = Literal["home", "page", "post", "list"]


@dataclass(frozen=True, slots=True)
class WordPressAuthor:
    login: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class WordPressTerm:
    """A category, tag, or term of another taxonomy; ``parent`` is the slug of the one above."""

    taxonomy: str
    slug: str
    name: str
    parent: str | None
    description: str


@dataclass(frozen=True, slots=True)
class WordPressFile(SourceFile):
    """A file of the media library that is there; ``source`` is ``upload:<path below uploads>``."""

    alt: str = ""
    title: str = ""
    caption: str = ""


@dataclass(frozen=True, slots=True)
class WordPressPage:
    """A page, post, or list of posts.

    Attributes:
        source: ``wp:<post id>``; ``wp:posts`` and ``wp:type:<post type>`` are lists made here.
        parent: the source of the page that it stands below.
        slug: one path segment below the parent's address; "" at home.
        path: its new address, with slashes around.
        position: 0, 1, 2 … among its siblings.
        details: author, date, tags, categories, image, image_alt and ``wordpress``, as JSON; the
            image is ``media:upload:<path>``
            or an absolute address.
        blocks: stored blocks, whose references are placeholders; see :func:`resolve`.
        draft: not to be published, now or (with ``scheduled``) yet.
        aliases: old addresses, with slashes around.
    """

    source: str
    parent: str | None
    slug: str
    path: str
    position: int
    title: str
    summary: str
    layout: Layout
    details: dict[str, Any]
    blocks: tuple[Stored, ...]
    draft: bool
    scheduled: datetime | None
    sticky: bool
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WordPressMenuEntry:
    """``target`` is ``page:wp:<post id>``, ``<taxonomy>:<slug>``, or an address."""

    title: str
    target: str
    children: tuple[WordPressMenuEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class WordPressMenu:
    slug: str
    name: str
    entries: tuple[WordPressMenuEntry, ...]


@dataclass(frozen=True, slots=True)
class WordPressComment:
    """What somebody wrote below a page: data, never to be shown without escaping.

    Attributes:
        id: in the old site.
        page: the source of its page.
        parent: the id of the comment that it answers.
        text: as it was stored, HTML and all.
        kind: ``comment``, ``pingback`` or ``trackback``.
    """

    id: int
    page: str
    parent: int | None
    author: str
    email: str
    url: str
    date: datetime | None
    text: str
    approved: bool
    kind: str


@dataclass(frozen=True, slots=True)
class WordPressRedirect:
    """``address`` is an old path with slashes around, ``page`` the source of what is there now."""

    address: str
    page: str
    path: str


@dataclass(frozen=True, slots=True)
class WordPressSite:
    """A whole export.

    Attributes:
        address: of the old site, without a slash at its end.
        language: a BCP 47 tag.
        pages: parents before children, siblings in order.
        media: the files that pages use or the media library names, those that are there.
        originals: the old address of each placeholder, for what is resolved to nothing.
        whole: the file was read to its end.
    """

    title: str
    tagline: str
    language: str
    address: str
    version: str
    whole: bool
    authors: tuple[WordPressAuthor, ...]
    terms: tuple[WordPressTerm, ...]
    pages: tuple[WordPressPage, ...]
    menus: tuple[WordPressMenu, ...]
    comments: tuple[WordPressComment, ...]
    media: tuple[WordPressFile, ...]
    redirects: tuple[WordPressRedirect, ...]
    originals: dict[str, str]
    report: Report = field(default_factory=Report)
