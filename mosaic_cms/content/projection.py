"""The published projection: what visitors can reach, made from live versions.

A page is *placed* (its address, title and card: what other pages show of it) and *rendered* (its
own region). Rendering reads nothing but what is placed, so no draft can be in it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup as Safe
from sqlalchemy import or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.head_tags import head_tags
from mosaic_cms.content.items import (
    DATED,
    card_of,
    children_of,
    item_of,
    neighbours,
    posts_below,
    trail,
)
from mosaic_cms.content.markup import Markup
from mosaic_cms.content.models import (
    Page,
    PageVersion,
    PublishedLink,
    PublishedPage,
    PublishedRedirect,
    PublishedSite,
    Redirect,
    Site,
)
from mosaic_cms.content.references import NOTHING, find_media, targets_of
from mosaic_cms.themes import Theme, Themes


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """The values that rendering a page puts into its row, and the pages that it points to."""

    page_id: uuid.UUID
    language: str
    values: dict[str, Any]
    links: frozenset[uuid.UUID]


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
        media = await find_media(session, [version.details.get("image") or ""])
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
        row.card = card_of(version, media)
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

    async def place_site(self, session: AsyncSession, site: Site, *, first: bool = False) -> None:
        """Puts what surrounds the pages into the projection: settings and menus; ``first`` saves
        looking for its row."""
        paths: set[str] = set()
        if site.menu or site.footer_menu:
            paths = set(
                await session.scalars(
                    select(PublishedPage.path).where(PublishedPage.site_id == site.id)
                )
            )
        row = None
        if not first:
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
            "footer": self._markup.render(site.footer, NOTHING).html if site.footer else "",
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
        self,
        session: AsyncSession,
        site: Site,
        version: PageVersion,
        row: PublishedPage,
        *,
        alone: bool = False,
    ) -> RenderedPage:
        """Renders a row that was placed from ``version``; ``alone`` on its site, it lists none."""
        theme = self._themes.get(site.theme)
        targets, links = await targets_of(session, version.body, row)
        body = await self._markup.render_aside(version.body, targets)
        context = await self._context(session, row, alone)
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
                article=row.layout == DATED,
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
        for parent_id in {row.parent_id for row in rows if row.layout == DATED}:
            posts = [post.id for post in await posts_below(session, site_id, parent_id)]
            for pair in pairwise(posts):
                found |= set(pair) if ids.intersection(pair) else set()
        return found - ids

    async def _context(
        self, session: AsyncSession, row: PublishedPage, alone: bool
    ) -> dict[str, Any]:
        children = [] if alone else await children_of(session, row)
        previous, following = (None, None)
        if row.layout == DATED:
            previous, following = await neighbours(session, row)
        return {
            "breadcrumbs": await trail(session, row),
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
        item = item_of(row)
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
