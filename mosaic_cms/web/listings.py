"""Listings without pages of their own: by tag, category or author, and the archive by month.

What one costs hardly grows with the site: pages are counted in an index of the terms; of an archive
those months are read that are on the page; and of a long list of a tag the newest pages are gone
through until there are enough; only far back in one, all of it is sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from markupsafe import Markup, escape
from sqlalchemy import bindparam, func, select

from mosaic_cms.content.head_tags import ORIGIN, encoded
from mosaic_cms.content.items import UNDATED, item_of
from mosaic_cms.content.made_paths import ARCHIVE, Terms, terms_at
from mosaic_cms.content.pagination import asked_page, numbered, pagination
from mosaic_cms.content.published import PublishedPage, PublishedTerm
from mosaic_cms.web.fragments import fragment, in_layout
from mosaic_cms.web.visit import Made, Visit
from mosaic_cms.web.words import month, words

PAGE_SIZE = 20
Counts = Sequence[tuple[Any, ...]]

#: Pages of a term from which on the newest of the site are gone through.
_MANY = 500

_PAGES = PublishedPage.__table__.c
_TERMS = PublishedTerm.__table__.c
_TERM = (
    _TERMS.kind == bindparam("kind"),
    _TERMS.slug >= bindparam("first"),
    _TERMS.slug <= bindparam("last"),
)
_LISTED = (
    _TERMS.site_id == bindparam("site_id"),
    _TERMS.language == bindparam("language"),
    *_TERM,
)
_JOINED = PublishedTerm.__table__.join(PublishedPage.__table__, _PAGES.page_id == _TERMS.page_id)
_SHOWN = (_PAGES.page_id, _PAGES.path, _PAGES.title, _PAGES.summary, _PAGES.card, _PAGES.changed_at)
# Constants: each is compiled once for each strategy.
#: By slug; of an archive, the newest month first.
_COUNTS: Any = (
    select(_TERMS.slug, func.count())
    .where(*_LISTED)
    .group_by(_TERMS.slug)
    .order_by(_TERMS.slug.desc())
)
_PLACE = (UNDATED, _PAGES.dated.desc(), _PAGES.path)
_SORTED = (
    select(_TERMS.page_id, _TERMS.slug)
    .select_from(_JOINED)
    .where(*_LISTED)
    .order_by(_TERMS.slug.desc(), *_PLACE)
    .limit(bindparam("most"))
    .offset(bindparam("skipped"))
    .subquery()
)
_OF_PAGE = select(_TERMS.title).where(_TERMS.page_id == _PAGES.page_id, *_TERM)
_ITEMS = (  # what is shown is read after it is sorted
    select(*_SHOWN, _OF_PAGE.scalar_subquery())
    .join_from(_SORTED, PublishedPage.__table__, _PAGES.page_id == _SORTED.c.page_id)
    .order_by(_SORTED.c.slug.desc(), *_PLACE)
)
_NEWEST = (
    select(*_SHOWN, _OF_PAGE.scalar_subquery())
    .where(
        _PAGES.site_id == bindparam("site_id"),
        _PAGES.language == bindparam("language"),
        _PAGES.dated.is_not(None),
        _OF_PAGE.exists(),
    )
    .order_by(_PAGES.dated.desc(), _PAGES.path)
    .limit(bindparam("most"))
    .offset(bindparam("skipped"))
)


class _Row(NamedTuple):
    page_id: UUID
    path: str
    title: str
    summary: str
    card: dict[str, Any]
    #: None until it is rendered.
    changed_at: datetime | None
    term: str


async def answer(visit: Visit) -> Made | None:
    """One page of a listing; None for a term that no published page has, and beyond the last."""
    wanted = terms_at(visit.below)
    number = asked_page(visit.fields)
    if wanted is None or number is None:
        return None
    surround = visit.surround
    asked = {"language": surround.language, **asdict(wanted)}
    counts = await visit.rows(_COUNTS, **asked)
    pages = -(-sum(count for _, count in counts) // PAGE_SIZE)
    if number > pages:
        return None
    rows = await _rows(visit, asked, counts, (number - 1) * PAGE_SIZE)
    if not rows:
        return None
    title = _title(visit, wanted, rows[0].term)
    turning = pagination(encoded(visit.path), number, pages)
    main = in_layout(
        surround,
        "list",
        title=title,
        url=visit.path,
        body=_months(visit, wanted, counts),
        children=[item_of(row) for row in rows],
        pagination=turning,
    )
    head = f"{visit.description(title)}\n{canonical(visit.path, number, turning)}"
    page = visit.page(title=title, main=main, head=head, layout="list", headers=visit.kept())
    page.by_query = True
    return page, visit.query in (b"", f"page={number}".encode())


def _title(visit: Visit, wanted: Terms, term: str) -> str:
    """The term's own; an archive is named after its months."""
    if wanted.kind != ARCHIVE:
        return term
    language = visit.surround.language
    if wanted.first == wanted.last:
        return month(language, wanted.first)
    year = visit.below.partition("/")[2]
    return f"{words(language)['archive']} {year}".rstrip()


async def _rows(visit: Visit, asked: dict[str, str], counts: Counts, skipped: int) -> list[_Row]:
    """What one page of a listing shows: all that is rendered of it."""
    total = sum(count for _, count in counts)
    shown = min(PAGE_SIZE, total - skipped)
    found: Sequence[tuple[Any, ...]] = ()
    if len(counts) == 1 and total > _MANY and skipped < total / 4:
        found = await visit.rows(_NEWEST, **asked, most=PAGE_SIZE, skipped=skipped)
    if len(found) < shown:  # some of them are without a date, and come last
        first, last, before = _span(counts, skipped, shown)
        narrowed = asked | {"first": first, "last": last}
        found = await visit.rows(_ITEMS, **narrowed, most=PAGE_SIZE, skipped=skipped - before)
    return [row for row in map(_Row._make, found) if row.changed_at is not None]


def _span(counts: Counts, skipped: int, shown: int) -> tuple[str, str, int]:
    """The last and the first slug of those that are shown, and how many come before."""
    before, reached = 0, 0
    last = ""
    for slug, count in counts:
        if not last and reached + count > skipped:
            last, before = slug, reached
        reached += count
        if reached >= skipped + shown:
            return slug, last, before
    raise AssertionError("more is to be shown than there is")


def _months(visit: Visit, wanted: Terms, counts: Counts) -> Markup:
    """Where an archive goes on: years, or the months of a year."""
    if wanted.first == wanted.last:
        return Markup()
    found: dict[str, int] = {}
    year = visit.below != ARCHIVE
    for slug, count in counts:
        key = slug if year else slug[:4]
        found[key] = found.get(key, 0) + count
    root, language = visit.surround.root, visit.surround.language
    entries = [
        {
            "url": f"{root}archive/{key.replace('-', '/')}/",
            "title": month(language, key) if year else key,
            "count": count,
        }
        for key, count in found.items()
    ]
    return fragment("months", language, entries=entries)


def canonical(path: str, number: int, turning: dict[str, Any] | None) -> str:
    """The address of one page of a list, and of those beside it, for search engines."""
    tags = [f'<link rel="canonical" href="{ORIGIN}{escape(numbered(encoded(path), number))}">']
    for relation, name in (("prev", "previous"), ("next", "next")):
        if turning is not None and turning[name]:
            tags.append(f'<link rel="{relation}" href="{ORIGIN}{escape(turning[name])}">')
    return "\n".join(tags)
