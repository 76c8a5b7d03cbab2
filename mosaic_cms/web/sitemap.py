"""``/sitemap.xml`` and ``/robots.txt``: what search engines are told of a site.

The protocol is that of sitemaps.org. A sitemap with more than 10,000 addresses, or of more than
10 MB, becomes an index of several: a fifth of what the protocol allows, so each is made quickly.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import and_, bindparam, or_, select

from mosaic_cms.content.made_paths import SITEMAPS
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.web.visit import Made, Visit
from mosaic_cms.web.xml import DECLARATION, text

_MOST_ADDRESSES = 10_000
_MOST_BYTES = 10_000_000
#: Before every id.
_NONE = uuid.UUID(int=0)
#: Rows that are read at once; between two lots, other visitors are served.
_LOT = 1_000

_PAGES = PublishedPage.__table__.c
# Translations of one page follow each other. A constant: it is compiled once for each strategy.
_QUERY = (
    select(_PAGES.translation_id, _PAGES.page_id, _PAGES.path, _PAGES.language, _PAGES.changed_at)
    .where(
        _PAGES.site_id == bindparam("site_id"),
        _PAGES.html.is_not(None),
        _PAGES.indexed == bindparam("indexed"),
        or_(
            _PAGES.translation_id > bindparam("translation_id"),
            and_(
                _PAGES.translation_id == bindparam("translation_id"),
                _PAGES.page_id > bindparam("page_id"),
            ),
        ),
    )
    .order_by(_PAGES.translation_id, _PAGES.page_id)
    .limit(bindparam("lot"))
    .offset(bindparam("skipped"))
)


class _Page(NamedTuple):
    group: object
    page_id: object
    path: str
    language: str
    changed_at: datetime | None


def robots(visit: Visit) -> Made:
    """Everything that is published may be read; what is not has no address."""
    told = f"User-agent: *\nDisallow:\n\nSitemap: {visit.absolute('/sitemap.xml')}\n"
    return visit.file("text/plain", told)


async def answer(visit: Visit, name: str) -> Made | None:
    """The sitemap, its index, or one of the index's parts."""
    found = SITEMAPS.fullmatch(name)
    wanted = int(found[1]) if found and found[1] else None
    parts, kept = 0, ""
    async for part in _parts(visit):
        parts += 1
        if parts == (wanted or 1):
            kept = part
    if wanted is not None:
        if parts < 2 or wanted > parts:
            return None
    elif parts > 1:
        places = (visit.absolute(f"/sitemap-{number}.xml") for number in range(1, parts + 1))
        entries = "".join(f"<sitemap><loc>{text(place)}</loc></sitemap>\n" for place in places)
        return visit.file("application/xml", _document("sitemapindex", entries))
    return visit.file("application/xml", _document("urlset", kept))


async def _parts(visit: Visit) -> AsyncIterator[str]:
    """The entries of each part."""
    entries: list[str] = []
    size = 0
    async for entry in _entries(visit):
        length = len(entry.encode())
        if len(entries) == _MOST_ADDRESSES or size + length > _MOST_BYTES:
            yield "".join(entries)
            entries, size = [], 0
        entries.append(entry)
        size += length
    if entries:
        yield "".join(entries)


async def _entries(visit: Visit) -> AsyncIterator[str]:
    last: list[_Page] = []  # of a group that may go on in the next lot
    async for lot in _lots(visit):
        pages = last + lot
        groups = [list(group) for _, group in groupby(pages, key=lambda page: page.group)]
        last = groups.pop()
        for group in groups:
            for page in group:
                yield _entry(visit, page, group)
        await asyncio.sleep(0)
    for page in last:
        yield _entry(visit, page, last)


async def _lots(visit: Visit) -> AsyncIterator[list[_Page]]:
    after = {"translation_id": _NONE, "page_id": _NONE}
    while True:
        rows = await visit.rows(_QUERY, lot=_LOT, skipped=0, indexed=True, **after)
        if rows:
            yield [_Page(*row) for row in rows]
        if len(rows) < _LOT:
            return
        after = {"translation_id": rows[-1][0], "page_id": rows[-1][1]}


def _entry(visit: Visit, page: _Page, group: list[_Page]) -> str:
    parts = [f"<url><loc>{text(visit.absolute(page.path))}</loc>"]
    if page.changed_at is not None:
        parts.append(f"<lastmod>{page.changed_at.isoformat(timespec='seconds')}</lastmod>")
    if len(group) > 1:
        parts += [
            f'<xhtml:link rel="alternate" hreflang="{text(other.language)}" '
            f'href="{text(visit.absolute(other.path))}"/>'
            for other in sorted(group, key=lambda other: other.language)
        ]
    parts.append("</url>\n")
    return "".join(parts)


def _document(kind: str, entries: str) -> str:
    spaces = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    if "<xhtml:" in entries:
        spaces += ' xmlns:xhtml="http://www.w3.org/1999/xhtml"'
    return f"{DECLARATION}<{kind} {spaces}>\n{entries}</{kind}>\n"
