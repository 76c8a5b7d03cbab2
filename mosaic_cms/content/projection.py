"""The published projection: what visitors can reach, made from live versions.

A page is *placed* (its address, title and card: what other pages show of it) and *rendered* (its
own region). Rendering reads nothing but what is placed, so no draft can be in it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from markupsafe import Markup as Safe
from sqlalchemy import Row, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.head_tags import head_tags
from mosaic_cms.content.markup import Markup, Picture
from mosaic_cms.content.models import (
    Media,
    Page,
    PageVersion,
    PublishedLink,
    PublishedPage,
    PublishedRedirect,
    PublishedSite,
    Redirect,
    Site,
)
from mosaic_cms.themes import Theme, Themes

MEDIA_PREFIX = "/-/media/"
_REFERENCE = re.compile(r"(page|media):([0-9a-f]{8}-[0-9a-f-]{27})")
#: Of these layouts, the newest comes first, and each knows its neighbours.
_DATED = "post"


@dataclass(frozen=True, slots=True)
class Item:
    """What a page shows of another: in its trail, its listing, or beside it."""

    id: uuid.UUID
    title: str
    url: str
    summary: str = ""
    date: datetime | None = None
    tags: tuple[str, ...] = ()
    image: Any = None


@dataclass(frozen=True, slots=True)
class _Image:
    url: str
    alt: str
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """The values that rendering a page puts into its row, and the pages that it points to."""

    page_id: uuid.UUID
    language: str
    values: dict[str, Any]
    links: frozenset[uuid.UUID]


class _Targets:
    """Resolves what a text points to, from what was looked up before."""

    def __init__(self, pages: dict[str, str], media: dict[str, Media]) -> None:
        self._pages = pages
        self._media = media

    def link(self, target: str) -> str | None:
        kind, _, rest = target.partition(":")
        key, mark, fragment = rest.partition("#")
        if kind == "page":
            path = self._pages.get(key)
            return None if path is None else f"{path}{mark}{fragment}"
        if kind == "media":
            return media_url(self._media[key]) if key in self._media else None
        return target

    def picture(self, target: str) -> Picture | None:
        kind, _, key = target.partition(":")
        if kind != "media":
            return Picture(target, None, None)
        media = self._media.get(key)
        return None if media is None else Picture(media_url(media), media.width, media.height)


_NOTHING = _Targets({}, {})


def media_url(media: Media) -> str:
    """The address of a stored file: its content's digest is in it, so it can be kept for ever."""
    return f"{MEDIA_PREFIX}{media.digest[:24]}/{media.name}"


class Projection:
    """Places and renders pages.

    Args:
        themes: by name.
        markup: renders Markdown.
    """

    def __init__(self, themes: Themes, markup: Markup) -> None:
        self._themes = themes
        self._markup = markup

    # Placing: rows are changed as objects, so what is the same is not written

    async def place(
        self,
        session: AsyncSession,
        site: Site,
        page: Page,
        version: PageVersion,
        *,
        first: bool = False,
    ) -> PublishedPage:
        """Puts a live version's facts into its row; ``first`` saves looking for one."""
        media = await _media(session, [version.details.get("image") or ""])
        row = None
        if not first:
            row = await session.get(PublishedPage, (page.id, site.language))
        if row is None:
            row = PublishedPage(
                page_id=page.id,
                language=site.language,
                site_id=site.id,
                html=None,
                head="",
                text="",
                theme_revision="",
            )
            session.add(row)
        row.path = page.path
        row.parent_id = page.parent_id
        row.position = page.position
        row.layout = version.layout
        row.title = version.title
        row.summary = version.summary
        row.card = _card(version, media)
        return row

    async def translate(self, session: AsyncSession, site: Site, before: str) -> None:
        """Gives the rows of a site the language that it has now. Until they are rendered, their
        words stay as they were."""
        for rows in (
            await session.scalars(
                select(PublishedPage).where(
                    PublishedPage.site_id == site.id, PublishedPage.language == before
                )
            ),
            await session.scalars(
                select(PublishedSite).where(
                    PublishedSite.site_id == site.id, PublishedSite.language == before
                )
            ),
        ):
            for row in rows:
                row.language = site.language
        await session.flush()

    async def remove(self, session: AsyncSession, site: Site, page_id: uuid.UUID) -> None:
        """Takes a page out of the projection."""
        row = await session.get(PublishedPage, (page_id, site.language))
        if row is not None:
            await session.delete(row)
        for link in await _links(session, page_id):
            await session.delete(link)
        await session.flush()

    async def place_site(self, session: AsyncSession, site: Site) -> None:
        """Puts what surrounds the pages into the projection: settings and menus."""
        paths: set[str] = set()
        if site.menu or site.footer_menu:
            paths = set(
                await session.scalars(
                    select(PublishedPage.path).where(PublishedPage.site_id == site.id)
                )
            )
        row = await session.get(PublishedSite, (site.id, site.language))
        if row is None:
            row = PublishedSite(site_id=site.id, language=site.language)
            session.add(row)
        row.key = site.key
        row.position = site.position
        row.surround = {
            "title": site.title,
            "tagline": site.tagline,
            "theme": site.theme,
            "theme_settings": site.theme_settings,
            "footer": self._markup.render(site.footer, _NOTHING).html if site.footer else "",
            "menu": [item for item in site.menu if item["path"] in paths],
            "footer_menu": [item for item in site.footer_menu if item["path"] in paths],
        }

    def revision(self, site: Site) -> str:
        """The state of a site's theme."""
        return self._themes.get(site.theme).revision

    async def place_redirects(self, session: AsyncSession, site: Site) -> None:
        """Puts a site's redirects into the projection."""
        rows = await session.scalars(select(Redirect).where(Redirect.site_id == site.id))
        wanted = {row.source: row.target for row in rows}
        placed = await session.scalars(
            select(PublishedRedirect).where(PublishedRedirect.site_id == site.id)
        )
        for row in placed:
            if row.source in wanted:
                row.target = wanted.pop(row.source)
            else:
                await session.delete(row)
        for source, target in wanted.items():
            session.add(PublishedRedirect(site_id=site.id, source=source, target=target))
        await session.flush()

    # Rendering

    async def render(self, session: AsyncSession, page_id: uuid.UUID) -> RenderedPage | None:
        """Renders one placed page; None when it is not placed (any more)."""
        page = await session.get(Page, page_id)
        if page is None or page.live_version_id is None:
            return None
        site = await session.get(Site, page.site_id)
        version = await session.get(PageVersion, page.live_version_id)
        assert site is not None
        assert version is not None
        row = await session.get(PublishedPage, (page_id, site.language))
        return None if row is None else await self.render_row(session, site, version, row)

    async def render_row(
        self, session: AsyncSession, site: Site, version: PageVersion, row: PublishedPage
    ) -> RenderedPage:
        """Renders a row that was placed from ``version``."""
        theme = self._themes.get(site.theme)
        targets, links = await self._targets(session, version, row)
        body = self._markup.render(version.body, targets)
        context = await self._context(session, row)
        safe = Safe(body.html)  # noqa: S704 - Markup sanitised it
        html = self._html(theme, site, row, version, safe, context)
        image = row.card.get("image") or {}
        values = {
            "html": html,
            "head": head_tags(
                title=row.title,
                description=row.summary,
                path=row.path,
                site_title=site.title,
                image=image.get("url"),
                article=row.layout == _DATED,
                date=row.card.get("date"),
            ),
            "text": body.text,
            "theme_revision": theme.revision,
        }
        return RenderedPage(row.page_id, site.language, values, links)

    async def store(self, session: AsyncSession, rendered: RenderedPage) -> None:
        """Puts a rendered page into its row, inside a write."""
        row = await session.get(PublishedPage, (rendered.page_id, rendered.language))
        if row is not None:
            await self.fill(session, row, rendered)

    async def fill(self, session: AsyncSession, row: PublishedPage, rendered: RenderedPage) -> None:
        """Puts what was rendered into its row."""
        known = {}
        if row.html is not None or rendered.links:
            known = {link.target_id: link for link in await _links(session, rendered.page_id)}
        for name, value in rendered.values.items():
            setattr(row, name, value)
        for target in known.keys() - rendered.links:
            await session.delete(known[target])
        for target in sorted(rendered.links - known.keys()):
            session.add(PublishedLink(source_id=rendered.page_id, target_id=target))

    async def dependents(
        self, session: AsyncSession, rows: Collection[PublishedPage]
    ) -> set[uuid.UUID]:
        """The rendered pages of a site that show something of these, themselves left out.

        One that is placed and not rendered yet has its message, and will show what holds then.
        """
        if not rows:
            return set()
        ids = {row.page_id for row in rows}
        site_id = next(iter(rows)).site_id
        rendered = select(PublishedPage.page_id).where(PublishedPage.html.is_not(None))
        parents = {row.parent_id for row in rows} - {None}
        within = [PublishedPage.path.startswith(top, autoescape=True) for top in _tops(rows)]
        found = set(
            await session.scalars(
                union(
                    select(PublishedLink.source_id).where(PublishedLink.target_id.in_(ids)),
                    rendered.where(PublishedPage.page_id.in_(parents)),
                    rendered.where(PublishedPage.site_id == site_id, or_(*within)),
                )
            )
        )
        for parent_id in {row.parent_id for row in rows if row.layout == _DATED}:
            posts = [post.id for post in await _posts(session, site_id, parent_id)]
            for pair in pairwise(posts):
                found |= set(pair) if ids.intersection(pair) else set()
        return found - ids

    async def _targets(
        self, session: AsyncSession, version: PageVersion, row: PublishedPage
    ) -> tuple[_Targets, frozenset[uuid.UUID]]:
        found = _REFERENCE.findall(version.body)
        ids = {uuid.UUID(key) for kind, key in found if kind == "page"}
        pages = {str(row.page_id): row.path}
        if ids - {row.page_id}:
            placed = select(PublishedPage.page_id, PublishedPage.path).where(
                PublishedPage.page_id.in_(ids)
            )
            pages |= {str(page_id): path for page_id, path in await session.execute(placed)}
        media = await _media(session, [f"media:{key}" for kind, key in found if kind == "media"])
        return _Targets(pages, media), frozenset(ids)

    async def _context(self, session: AsyncSession, row: PublishedPage) -> dict[str, Any]:
        children = await _items(
            session, PublishedPage.parent_id == row.page_id, PublishedPage.site_id == row.site_id
        )
        if any(child.date for child in children):
            children.sort(key=_newest_first)
        previous, following = (None, None)
        if row.layout == _DATED:
            previous, following = await _neighbours(session, row)
        return {
            "breadcrumbs": await _trail(session, row),
            "children": children,
            "previous": previous,
            "next": following,
        }

    @staticmethod
    def _html(
        theme: Theme,
        site: Site,
        row: PublishedPage,
        version: PageVersion,
        body: Safe,
        context: dict[str, Any],
    ) -> str:
        item = _item(row)
        page = {
            "title": row.title,
            "summary": row.summary,
            "url": row.path,
            "date": item.date,
            "author": version.details.get("author") or "",
            "tags": item.tags,
            "image": item.image,
            "language": site.language,
        }
        layout = row.layout if row.layout in theme.layouts else "page"
        return theme.render(layout, page=page, body=body, **context)


def _card(version: PageVersion, media: dict[str, Media]) -> dict[str, Any]:
    details = version.details
    reference = details.get("image") or ""
    found = media.get(reference.removeprefix("media:"))
    image: dict[str, Any] | None = None
    if found is not None:
        image = {"url": media_url(found), "width": found.width, "height": found.height}
    elif reference and not reference.startswith("media:"):
        image = {"url": reference, "width": None, "height": None}
    if image is not None:
        image["alt"] = details.get("image_alt") or ""
    return {"date": details.get("date"), "tags": details.get("tags") or [], "image": image}


def _item(row: PublishedPage | Row[Any]) -> Item:
    card = row.card
    image = _Image(**card["image"]) if card.get("image") else None
    date = datetime.fromisoformat(card["date"]) if card.get("date") else None
    if date is not None and date.tzinfo is None:  # the machine's own zone must not count
        date = date.replace(tzinfo=UTC)
    return Item(row.page_id, row.title, row.path, row.summary, date, tuple(card["tags"]), image)


def _tops(rows: Collection[PublishedPage]) -> list[str]:
    """The paths of rows that are not below another's."""
    tops: list[str] = []
    for path in sorted(row.path for row in rows):
        if not tops or not path.startswith(tops[-1]):
            tops.append(path)
    return tops


async def _links(session: AsyncSession, page_id: uuid.UUID) -> list[PublishedLink]:
    query = select(PublishedLink).where(PublishedLink.source_id == page_id)
    return list(await session.scalars(query))


async def _items(session: AsyncSession, *where: Any) -> list[Item]:
    rows = await session.execute(
        select(
            PublishedPage.page_id,
            PublishedPage.path,
            PublishedPage.title,
            PublishedPage.summary,
            PublishedPage.card,
        )
        .where(*where)
        .order_by(PublishedPage.position, PublishedPage.path)
    )
    return [_item(row) for row in rows]


async def _trail(session: AsyncSession, row: PublishedPage) -> list[Item]:
    """The published ancestors, the home page first."""
    if row.path == "/":
        return []
    segments = row.path.strip("/").split("/")
    above = ["/"] + ["/" + "/".join(segments[:n]) + "/" for n in range(1, len(segments))]
    found = await _items(
        session, PublishedPage.site_id == row.site_id, PublishedPage.path.in_(above)
    )
    return sorted(found, key=lambda item: len(item.url))


async def _posts(
    session: AsyncSession, site_id: uuid.UUID, parent_id: uuid.UUID | None
) -> list[Item]:
    """The posts below one page, the newest first."""
    posts = await _items(
        session,
        PublishedPage.site_id == site_id,
        PublishedPage.parent_id.is_not_distinct_from(parent_id),
        PublishedPage.layout == _DATED,
    )
    return sorted(posts, key=_newest_first)


async def _neighbours(session: AsyncSession, row: PublishedPage) -> tuple[Item | None, Item | None]:
    """The post before and the post after this one, in time."""
    posts = await _posts(session, row.site_id, row.parent_id)
    at = next(n for n, item in enumerate(posts) if item.id == row.page_id)
    older = posts[at + 1] if at + 1 < len(posts) else None
    return older, posts[at - 1] if at > 0 else None


def _newest_first(item: Item) -> tuple[float, str]:
    return (-item.date.timestamp() if item.date else 0.0, item.url)


async def _media(session: AsyncSession, references: Sequence[str]) -> dict[str, Media]:
    ids = [
        uuid.UUID(found.group(2))
        for reference in references
        if (found := _REFERENCE.fullmatch(reference)) and found.group(1) == "media"
    ]
    if not ids:
        return {}
    rows = await session.scalars(select(Media).where(Media.id.in_(ids)))
    return {str(row.id): row for row in rows}
