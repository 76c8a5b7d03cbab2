"""Listings without pages of their own: by tag, category or author, and the archive by month."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple
from uuid import UUID

from markupsafe import Markup, escape
from sqlalchemy import bindparam, case, func, literal_column, select

from mosaic_cms.content.head_tags import ORIGIN, encoded
from mosaic_cms.content.items import Item, item_of
from mosaic_cms.content.made_paths import ARCHIVE, Terms, terms_at
from mosaic_cms.content.published import PublishedPage, PublishedTerm
from mosaic_cms.web.fragments import fragment, in_layout
from mosaic_cms.web.pagination import asked_page, numbered, pagination
from mosaic_cms.web.visit import Made, Visit
from mosaic_cms.web.words import month, words

PAGE_SIZE = 20

_PAGES = PublishedPage.__table__.c
_TERMS = PublishedTerm.__table__.c
_LISTED = (
    _TERMS.site_id == bindparam("site_id"),
    _TERMS.language == bindparam("language"),
    _TERMS.kind == bindparam("kind"),
    _TERMS.slug >= bindparam("first"),
    _TERMS.slug <= bindparam("last"),
    _PAGES.html.is_not(None),
)
_JOINED = PublishedTerm.__table__.join(PublishedPage.__table__, _PAGES.page_id == _TERMS.page_id)
_UNDATED = case((_PAGES.dated.is_(None), literal_column("1")), else_=literal_column("0"))
# Constants: each is compiled once for each strategy.
_COUNT: Any = select(func.count(), func.min(_TERMS.title)).select_from(_JOINED).where(*_LISTED)
_ITEMS = (
    select(_PAGES.page_id, _PAGES.path, _PAGES.title, _PAGES.summary, _PAGES.card)
    .select_from(_JOINED)
    .where(*_LISTED)
    .order_by(_UNDATED, _PAGES.dated.desc(), _PAGES.path)
    .limit(bindparam("most"))
    .offset(bindparam("skipped"))
)
_MONTHS = (
    select(_TERMS.slug, func.count())
    .select_from(_JOINED)
    .where(*_LISTED)
    .group_by(_TERMS.slug)
    .order_by(_TERMS.slug.desc())
)


class _Row(NamedTuple):
    page_id: UUID
    path: str
    title: str
    summary: str
    card: dict[str, Any]


async def answer(visit: Visit) -> Made | None:
    """One page of a listing; None for a term that no published page has, and beyond the last."""
    wanted = terms_at(visit.below)
    number = asked_page(visit.fields)
    if wanted is None or number is None:
        return None
    surround = visit.surround
    asked = {"language": surround.language, **asdict(wanted)}
    count, term = (await visit.rows(_COUNT, **asked))[0]
    pages = -(-count // PAGE_SIZE)
    if number > pages:
        return None
    skipped = (number - 1) * PAGE_SIZE
    rows = await visit.rows(_ITEMS, **asked, most=PAGE_SIZE, skipped=skipped)
    title = _title(visit, wanted, term)
    turning = pagination(encoded(visit.path), number, pages)
    main = in_layout(
        surround,
        "list",
        title=title,
        url=visit.path,
        body=await _months(visit, wanted, asked),
        children=[_item(_Row(*row)) for row in rows],
        pagination=turning,
    )
    head = f"{visit.description(title)}\n{_head(visit.path, number, turning)}"
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


def _item(row: Any) -> Item:
    return item_of(row)


async def _months(visit: Visit, wanted: Terms, asked: dict[str, str]) -> Markup:
    """Where an archive goes on: years, or the months of a year."""
    if wanted.first == wanted.last:
        return Markup()
    counts: dict[str, int] = {}
    year = visit.below != ARCHIVE
    for slug, count in await visit.rows(_MONTHS, **asked):
        key = slug if year else slug[:4]
        counts[key] = counts.get(key, 0) + count
    root, language = visit.surround.root, visit.surround.language
    entries = [
        {
            "url": f"{root}archive/{key.replace('-', '/')}/",
            "title": month(language, key) if year else key,
            "count": count,
        }
        for key, count in counts.items()
    ]
    return fragment("months", language, entries=entries)


def _head(path: str, number: int, turning: dict[str, Any] | None) -> str:
    tags = [f'<link rel="canonical" href="{ORIGIN}{escape(numbered(encoded(path), number))}">']
    for relation, name in (("prev", "previous"), ("next", "next")):
        if turning is not None and turning[name]:
            tags.append(f'<link rel="{relation}" href="{ORIGIN}{escape(turning[name])}">')
    return "\n".join(tags)
