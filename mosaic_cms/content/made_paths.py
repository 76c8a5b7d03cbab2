"""The addresses that a site has beside its pages: search, listings, feeds and what robots read.

:mod:`mosaic_cms.web.made` answers them; menus lead to them while there is something to see. Some of
them no page can have: programs read what is there, or forms lead there. A listing is a page like
others, and one that somebody made by hand takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.language_tags import language_of_path, language_root
from mosaic_cms.content.models import Site
from mosaic_cms.content.published import PublishedPage, PublishedTerm
from mosaic_cms.content.references import in_chunks

SEARCH = "search"
ARCHIVE = "archive"
#: The first segment of a listing's path, and the kind of term that it lists.
LISTINGS = {"tags": "tag", "categories": "category", "authors": "author", ARCHIVE: ARCHIVE}
#: Feeds of a language, and of a page that dated pages stand below. They end without a slash.
FEEDS = ("feed.xml", "atom.xml", "feed.json")
ROBOTS, SITEMAP = "robots.txt", "sitemap.xml"
#: The sitemap, and the parts of a long one.
SITEMAPS = re.compile(r"sitemap(?:-([1-9]\d{0,4}))?\.xml")
_MONTH = re.compile(r"\d{4}(?:/(?:0[1-9]|1[0-2]))?")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a listing lists: the terms of a kind, from one slug to another."""

    kind: str
    first: str
    last: str


def terms_at(below: str) -> Terms | None:
    """What is listed at a path below its language's root, given without slashes at its ends; None
    where no listing can be."""
    name, _, rest = below.partition("/")
    kind = LISTINGS.get(name)
    if kind is None:
        return None
    if kind != ARCHIVE:
        return Terms(kind, rest, rest) if rest and "/" not in rest else None
    if not rest:
        return Terms(kind, "0000-00", "9999-99")
    if not _MONTH.fullmatch(rest):
        return None
    slug = rest.replace("/", "-")
    return Terms(kind, slug, slug) if len(rest) > 4 else Terms(kind, f"{slug}-00", f"{slug}-99")


def listing_of(root: str, kind: str, slug: str) -> str:
    """The address at which a term is listed, in the language whose root is ``root``."""
    name = next(name for name, listed in LISTINGS.items() if listed == kind)
    return f"{root}{name}/{slug}/"


@dataclass(frozen=True, slots=True)
class _Place:
    """A path that is asked about, and its parts."""

    path: str
    language: str
    root: str
    below: str

    @classmethod
    def of(cls, path: str, languages: Sequence[str]) -> _Place:
        language = language_of_path(path, languages)
        root = language_root(languages[0], language)
        return cls(path, language, root, path.removeprefix(root).strip("/"))

    @property
    def name(self) -> str:
        return self.below.rpartition("/")[2]

    @property
    def above(self) -> str:
        """The path of the page whose feed it is."""
        return self.path.removesuffix(f"{self.name}/")


def held_for(path: str, languages: Sequence[str]) -> str | None:
    """What a site keeps a path (in its one form) for, so that no page can have it; None where one
    can.

    Args:
        languages: of the site, its own first.
    """
    place = _Place.of(path, languages)
    if place.below == SEARCH:
        return "its search"
    if place.name in FEEDS:
        return "a feed"
    if place.root != "/":
        return None
    if place.below == ROBOTS:
        return "robots"
    return "its sitemap" if SITEMAPS.fullmatch(place.below) else None


async def made_paths(session: AsyncSession, site: Site, paths: Collection[str]) -> dict[str, str]:
    """The addresses of those paths (in their one form) at which the site shows something that is no
    page: of a term that no published page has, or a feed without entries, there is none."""
    languages = [site.language, *site.languages]
    found: dict[str, str] = {}
    listings: dict[_Place, Terms] = {}
    for path in sorted(paths):
        place = _Place.of(path, languages)
        terms = terms_at(place.below)
        if terms is not None:
            listings[place] = terms
        elif place.below == SEARCH:
            found[path] = path
        elif place.name in FEEDS:
            if place.above == place.root or await _lists_posts(session, site, place):
                found[path] = path.rstrip("/")
        elif place.root == "/" and place.below in (ROBOTS, SITEMAP):
            found[path] = path.rstrip("/")
    return found | {place.path: place.path for place in await _listed(session, site, listings)}


async def _listed(session: AsyncSession, site: Site, listings: dict[_Place, Terms]) -> list[_Place]:
    """Those of the listings that list anything."""
    published: set[tuple[str, str, str]] = set()
    columns = PublishedTerm.language, PublishedTerm.kind, PublishedTerm.slug
    for chunk in in_chunks(listings.items()):
        wanted = [
            and_(
                PublishedTerm.language == place.language,
                PublishedTerm.kind == terms.kind,
                PublishedTerm.slug.between(terms.first, terms.last),
            )
            for place, terms in chunk
        ]
        query = select(*columns).where(PublishedTerm.site_id == site.id, or_(*wanted)).distinct()
        published |= {(row.language, row.kind, row.slug) for row in await session.execute(query)}
    return [
        place
        for place, terms in listings.items()
        if any(
            (language, kind) == (place.language, terms.kind) and terms.first <= slug <= terms.last
            for language, kind, slug in published
        )
    ]


async def _lists_posts(session: AsyncSession, site: Site, feed: _Place) -> bool:
    """Whether the page of a feed is published, and dated pages below it."""
    here = PublishedPage.site_id == site.id, PublishedPage.language == feed.language
    below = PublishedPage.path.startswith(feed.above, autoescape=True)
    dated = select(PublishedPage.page_id).where(
        *here, below, PublishedPage.path != feed.above, PublishedPage.dated.is_not(None)
    )
    page = select(PublishedPage.page_id).where(
        *here, PublishedPage.path == feed.above, dated.exists()
    )
    return await session.scalar(page) is not None
