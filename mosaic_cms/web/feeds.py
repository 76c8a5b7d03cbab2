"""Feeds: the newest dated pages as RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1.

There is one of each for each language of a site, and for each page that dated pages stand below.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any, NamedTuple
from uuid import UUID

import nh3
from sqlalchemy import Integer, bindparam, cast, func, select

from mosaic_cms.content.head_tags import encoded
from mosaic_cms.content.items import date_of
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.web.visit import Made, Visit
from mosaic_cms.web.xml import DECLARATION, element, text

_NEWEST = 20
_PAGES = PublishedPage.__table__.c
#: After every path that begins with the same characters.
_END = "\U0010ffff"

# Constants: each is compiled once for each strategy. Paths are compared by code point everywhere.
_ENTRIES = (
    select(
        _PAGES.page_id,
        _PAGES.path,
        _PAGES.title,
        _PAGES.summary,
        _PAGES.card,
        _PAGES.dated,
        _PAGES.changed_at,
        # PostgreSQL has it for integers of 32 bits alone.
        func.substring(
            _PAGES.html, cast(_PAGES.body_start, Integer), cast(_PAGES.body_length, Integer)
        ),
    )
    .where(
        _PAGES.site_id == bindparam("site_id"),
        _PAGES.language == bindparam("language"),
        _PAGES.dated.is_not(None),
        _PAGES.path > bindparam("above"),
        _PAGES.path < bindparam("end"),
        _PAGES.html.is_not(None),
    )
    .order_by(_PAGES.dated.desc(), _PAGES.path)
    .limit(bindparam("newest"))
    .offset(bindparam("skipped"))
)
_ABOVE = select(_PAGES.page_id, _PAGES.title, _PAGES.summary).where(
    _PAGES.site_id == bindparam("site_id"),
    _PAGES.path == bindparam("path"),
    _PAGES.html.is_not(None),
)
#: Of these, a reader gets neither the element nor what is in it.
_LEFT_OUT = {"script", "style", "form", "svg", "template", "button", "input", "textarea", "select"}
_TAGS = (nh3.ALLOWED_TAGS | {"audio", "video", "source", "track", "section"}) - _LEFT_OUT
_ATTRIBUTES = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()} | {
    "audio": {"src", "controls"},
    "video": {"src", "controls", "poster", "width", "height"},
    "source": {"src", "type"},
    "track": {"src", "kind", "srclang", "label"},
}


class _Row(NamedTuple):
    page_id: UUID
    path: str
    title: str
    summary: str
    card: dict[str, Any]
    dated: datetime
    changed_at: datetime | None
    html: str


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    url: str
    title: str
    summary: str
    html: str
    date: datetime
    changed: datetime
    author: str
    tags: tuple[str, ...]
    image: str | None


@dataclass(frozen=True, slots=True)
class _Feed:
    id: str
    #: Of the page that it belongs to, and its own.
    page: str
    url: str
    title: str
    summary: str
    language: str
    author: str
    entries: list[_Entry]

    @property
    def changed(self) -> datetime | None:
        return max((entry.changed for entry in self.entries), default=None)


async def answer(visit: Visit, name: str) -> Made | None:
    """A feed; None for one of a page that no dated page stands below."""
    above = visit.path.removesuffix(f"{name}/")
    surround = visit.surround
    title, summary, key = surround.site["title"], surround.site["tagline"], visit.site.site_id
    whole = above == surround.root
    if not whole:
        found = await visit.rows(_ABOVE, path=above)
        if not found:
            return None
        key, title, summary = found[0]
    rows = await visit.rows(
        _ENTRIES,
        language=surround.language,
        above=above,
        end=above + _END,
        newest=_NEWEST,
        skipped=0,
    )
    if not rows and not whole:
        return None
    feed = _Feed(
        id=f"urn:uuid:{key}",
        page=visit.absolute(above),
        url=visit.absolute(above + name),
        title=title,
        summary=summary,
        language=surround.language,
        author=surround.site["title"],
        entries=[_entry(visit, _Row(*row)) for row in rows],
    )
    content_type, write = _FORMATS[name]
    return visit.file(content_type, write(feed))


def _entry(visit: Visit, row: _Row) -> _Entry:
    date = date_of(row.card) or row.dated  # the card's is in its own zone
    url = visit.absolute(row.path)
    image = (row.card.get("image") or {}).get("url") or ""
    if image.startswith("/") and not image.startswith("//"):
        image = visit.handle.origin + encoded(image)
    html = nh3.clean(
        row.html,
        tags=_TAGS,
        clean_content_tags=_LEFT_OUT,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "tel"},
        url_relative=("rewrite_with_base", url),
    )
    return _Entry(
        id=f"urn:uuid:{row.page_id}",
        url=url,
        title=row.title,
        summary=row.summary,
        html=html,
        date=date,
        changed=max(row.changed_at or date, date),
        author=row.card.get("author") or "",
        tags=tuple(row.card.get("tags") or ()),
        image=image if image.startswith(("https://", "http://")) else None,
    )


def _rss(feed: _Feed) -> str:
    own = f'<atom:link rel="self" type="application/rss+xml" href="{text(feed.url)}"/>\n'
    head = (
        element("title", feed.title)
        + element("link", feed.page)
        + element("description", feed.summary or feed.title)
        + element("language", feed.language)
        + (element("lastBuildDate", format_datetime(feed.changed)) if feed.changed else "")
        + own
    )
    items = "".join(_rss_item(entry) for entry in feed.entries)
    spaces = "".join(
        f' xmlns:{name}="{address}"'
        for name, address in (
            ("atom", "http://www.w3.org/2005/Atom"),
            ("content", "http://purl.org/rss/1.0/modules/content/"),
            ("dc", "http://purl.org/dc/elements/1.1/"),
        )
    )
    return f'{DECLARATION}<rss version="2.0"{spaces}>\n<channel>\n{head}{items}</channel>\n</rss>\n'


def _rss_item(entry: _Entry) -> str:
    parts = [
        element("title", entry.title),
        element("link", entry.url),
        element("guid", entry.id, isPermaLink="false"),
        element("pubDate", format_datetime(entry.date)),
        element("dc:creator", entry.author),
        *(element("category", tag) for tag in entry.tags),
        element("description", entry.summary),
        element("content:encoded", entry.html),
    ]
    return f"<item>\n{''.join(parts)}</item>\n"


def _atom(feed: _Feed) -> str:
    updated = feed.changed.isoformat() if feed.changed else "1970-01-01T00:00:00+00:00"
    head = (
        element("id", feed.id)
        + element("title", feed.title)
        + element("subtitle", feed.summary)
        + element("updated", updated)
        + f"<author>{element('name', feed.author).strip()}</author>\n"
        + f'<link rel="self" type="application/atom+xml" href="{text(feed.url)}"/>\n'
        + f'<link rel="alternate" type="text/html" href="{text(feed.page)}"/>\n'
    )
    entries = "".join(_atom_entry(entry) for entry in feed.entries)
    space = f'xmlns="http://www.w3.org/2005/Atom" xml:lang="{text(feed.language)}"'
    return f"{DECLARATION}<feed {space}>\n{head}{entries}</feed>\n"


def _atom_entry(entry: _Entry) -> str:
    author = f"<author>{element('name', entry.author).strip()}</author>\n" if entry.author else ""
    parts = [
        element("id", entry.id),
        element("title", entry.title),
        f'<link rel="alternate" type="text/html" href="{text(entry.url)}"/>\n',
        element("published", entry.date.isoformat()),
        element("updated", entry.changed.isoformat()),
        author,
        *(f'<category term="{text(tag)}"/>\n' for tag in entry.tags),
        element("summary", entry.summary),
        element("content", entry.html, type="html"),
    ]
    return f"<entry>\n{''.join(parts)}</entry>\n"


def _json(feed: _Feed) -> str:
    told = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.page,
        "feed_url": feed.url,
        "description": feed.summary,
        "language": feed.language,
        "items": [_json_item(entry) for entry in feed.entries],
    }
    return json.dumps(_given(told), ensure_ascii=False)


def _json_item(entry: _Entry) -> dict[str, Any]:
    told = {
        "id": entry.id,
        "url": entry.url,
        "title": entry.title,
        "summary": entry.summary,
        "image": entry.image,
        "date_published": entry.date.isoformat(),
        "date_modified": entry.changed.isoformat(),
        "authors": [{"name": entry.author}] if entry.author else None,
        "tags": list(entry.tags),
    }
    return {**_given(told), "content_html": entry.html}


def _given(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if fact or name == "items"}


_FORMATS: dict[str, tuple[str, Callable[[_Feed], str]]] = {
    "feed.xml": ("application/rss+xml", _rss),
    "atom.xml": ("application/atom+xml", _atom),
    "feed.json": ("application/feed+json", _json),
}
