"""Pages in their tree: which stand below which, and in which order."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mosaic_cms.importing.addresses import Addresses, Name
from mosaic_cms.importing.document import Document, cut_summary
from mosaic_cms.importing.fields import Fields, read_date

Layout = Literal["home", "page", "post", "list"]


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page as a folder describes it.

    Attributes:
        source: the file, relative to the folder, in NFC.
        parent: the source of the page that it stands below.
        slug: what its address adds to the parent's: segments joined by slashes; "" at home.
        path: its address, with slashes around.
        position: 0, 1, 2 … among its siblings: by weight, then newest first, then by title.
        body: Markdown. Targets within the folder are ``page:<source>#fragment`` and
            ``media:<source>``, the source percent-encoded as in an address.
        date: with a zone.
        starts, ends: from when on, and until when, it is shown; with a zone.
        image: ``media:<source>``, encoded likewise, or an absolute URL.
        aliases: old addresses, with slashes around.
        extra: front matter that means nothing here, as JSON has it.
        language: a BCP 47 tag; None is that of the page above.
        translates: the source of a page in another language that says the same.
        details: what it keeps besides; it goes before all the others.
    """

    source: str
    parent: str | None
    slug: str
    path: str
    position: int
    title: str
    summary: str
    body: str
    layout: Layout
    date: datetime | None
    author: str
    tags: tuple[str, ...]
    categories: tuple[str, ...]
    draft: bool
    image: str | None
    image_alt: str
    aliases: tuple[str, ...]
    extra: dict[str, Any]
    language: str | None = None
    translates: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    starts: datetime | None = None
    ends: datetime | None = None


@dataclass(slots=True)
class Draft:
    """A page whose place and words are known, on the way to a :class:`SourcePage`."""

    document: Document
    fields: Fields
    name: Name
    path: str
    title: str
    body: str
    image: str | None
    aliases: tuple[str, ...]
    date: datetime | None
    translates: str | None = None


def arrange(drafts: Mapping[str, Draft], addresses: Addresses) -> Iterator[SourcePage]:
    """The pages as a tree: parents before children, siblings in order."""
    by_path = {draft.path: source for source, draft in drafts.items()}
    children: dict[str | None, list[str]] = {}
    parents: dict[str, str | None] = {}
    for source, draft in drafts.items():
        parent = addresses.parent_of(source)
        if parent not in drafts:
            parent = _nearest(draft.path, by_path)
        language = draft.fields.language
        if parent is not None and language and drafts[parent].fields.language != language:
            parent = None  # each language has a tree of its own
        parents[source] = parent
        children.setdefault(parent, []).append(source)
    for siblings in children.values():
        siblings.sort(key=lambda source: _order(drafts[source]))
    pending = [(s, n) for n, s in enumerate(children.get(None, ()))][::-1]
    while pending:
        source, position = pending.pop()
        below = children.get(source, [])
        pending += [(s, n) for n, s in enumerate(below)][::-1]
        parent = parents[source]
        draft = drafts[source]
        base = drafts[parent].path if parent else "/"
        fields = draft.fields
        yield SourcePage(
            source=source,
            parent=parent,
            slug=draft.path.removeprefix(base).strip("/"),
            path=draft.path,
            position=position,
            title=draft.title,
            summary=fields.summary or _summary(draft),
            body=draft.body,
            layout=_layout(draft, bool(below), addresses.is_index(source)),
            date=draft.date,
            author=fields.author,
            tags=fields.tags,
            categories=fields.categories,
            draft=fields.draft or draft.name.is_draft,
            image=draft.image,
            image_alt=fields.image_alt,
            aliases=draft.aliases,
            extra=fields.extra,
            language=fields.language or None,
            translates=draft.translates,
            details=fields.details,
            starts=fields.starts,
            ends=fields.ends,
        )


def _summary(draft: Draft) -> str:
    return "" if draft.fields.no_summary else cut_summary(draft.document.opening)


def _nearest(path: str, by_path: dict[str, str]) -> str | None:
    """The page with the longest address that this address begins with."""
    while path != "/":
        path = posixpath.dirname(path.rstrip("/")).rstrip("/") + "/"
        if path in by_path:
            return by_path[path]
    return None


def _order(draft: Draft) -> tuple[bool, float, bool, float, str, str]:
    weight = draft.fields.weight
    # An export keeps a date among the details where an import would write it in another way.
    date = draft.date or read_date(draft.fields.details.get("date"))
    return (
        not weight,
        weight or 0.0,
        date is None,
        -date.timestamp() if date else 0.0,
        draft.title.casefold(),
        draft.document.source,
    )


def _layout(draft: Draft, has_children: bool, is_index: bool) -> Layout:
    written = draft.fields.layout
    for layout in ("home", "page", "post", "list"):
        if written == layout:
            return layout
    if draft.path == "/":
        return "home"
    if has_children and (is_index or draft.date is None):
        return "list"
    # A page with a weight has its place among others; its date only says when it was written.
    dated = draft.date is not None and draft.fields.weight is None
    return "post" if dated or draft.name.is_post else "page"
