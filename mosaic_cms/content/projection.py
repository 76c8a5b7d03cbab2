"""The published projection: what visitors can reach, made from live versions.

A page is *placed* (its address, title and card: what other pages show of it) and *rendered* (all
between header and footer). Rendering reads nothing but what is placed, so no draft can be in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from markupsafe import Markup as Safe
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.rendering import Around, BlockRenderer, words_of
from mosaic_cms.blocks.standard.more import Form
from mosaic_cms.blocks.stored import Regions, blocks_in
from mosaic_cms.content import placing
from mosaic_cms.content.ahead import Aside, Values, Work, rendered
from mosaic_cms.content.head_tags import Head, head_tags
from mosaic_cms.content.items import (
    DATED,
    children_of,
    date_of,
    item_of,
    neighbours,
    trail,
    translations_of,
)
from mosaic_cms.content.language_tags import language_root
from mosaic_cms.content.lookup import Lookup, look_up
from mosaic_cms.content.markup import Markup
from mosaic_cms.content.models import Page, PageVersion, Site
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.pictures.tag import hasten
from mosaic_cms.themes import Theme, Themes
from mosaic_core.errors import InvalidInput

#: Pages that are looked through at once: their theme is behind all their text.
_PIECE = 200


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """The values that rendering a page puts into its row, what the page shows something of, and its
    forms by their blocks' ids."""

    page_id: uuid.UUID
    values: dict[str, Any]
    dependencies: frozenset[str]
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)


class Projection:
    """Places and renders pages.

    Args:
        themes: by name.
        types: of blocks.
        markup: renders Markdown.
    """

    def __init__(self, themes: Themes, types: BlockTypes, markup: Markup) -> None:
        self._themes = themes
        self._types = types
        self._markup = markup
        self._renderer = BlockRenderer(types, markup)
        self.aside = Aside()

    async def outdated(self, session: AsyncSession, site: Site) -> list[uuid.UUID]:
        """The pages of a site that were rendered with another theme, or another state of it."""
        theme = self._themes.get(site.theme)
        query = (
            select(PublishedPage.page_id, PublishedPage.theme, PublishedPage.theme_revision)
            .where(PublishedPage.site_id == site.id)
            .order_by(PublishedPage.page_id)
            .limit(_PIECE)
        )
        rows = (await session.execute(query)).all()
        found: list[uuid.UUID] = []
        while rows:
            found += [x for x, *made in rows if made != [theme.name, theme.revision]]
            await asyncio.sleep(0)
            more = query.where(PublishedPage.page_id > rows[-1][0])
            rows = (await session.execute(more)).all()
        return found

    async def place_site(self, session: AsyncSession, site: Site, *, first: bool = False) -> None:
        """Puts what surrounds the pages into the projection; ``first`` saves looking for it."""
        await placing.place_site(session, site, self._markup, first=first)

    async def render(self, session: AsyncSession, page_id: uuid.UUID) -> RenderedPage | None:
        """Renders one placed page; None when it is not placed (any more)."""
        page = await session.get(Page, page_id)
        if page is None or page.live_version_id is None:
            return None
        site = await session.get(Site, page.site_id)
        version = await session.get(PageVersion, page.live_version_id)
        assert site is not None
        assert version is not None
        row = await session.get(PublishedPage, page_id)
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
        room = theme.manifest.picture_width
        found = await look_up(session, self._types, row, version.regions, room=room)
        context = await self._context(session, row, alone)
        page = shown(row, language_root(site.language, row.language))
        answers = [
            (found.targets.link(target), found.targets.picture(target))
            for target in found.references
        ]
        shows = [theme, row.layout, page, version.regions]
        shows += [found.shared, found.lists, answers, context]
        run = partial(self._html, theme, row.layout, page, version.regions, found, context)
        work = Work(row.page_id, found.size, shows, run)
        values = dict(await rendered(session, work, self.aside))
        translations = [] if alone else await translations_of(session, row)
        indexed = str(version.details.get("noindex") or "").lower() not in {"true", "yes", "1"}
        values |= {
            "head": head_tags(_head(site, row, version, context, translations, indexed=indexed)),
            "changed_at": version.at,
            "indexed": indexed,
            "theme": theme.name,
            "theme_revision": theme.revision,
        }
        forms = self._forms(version, found)
        return RenderedPage(row.page_id, values, frozenset(found.dependencies), forms)

    async def store(self, session: AsyncSession, rendered: RenderedPage) -> None:
        """Puts a rendered page into its row, inside a write."""
        row = await session.get(PublishedPage, rendered.page_id)
        if row is not None:
            await self.fill(session, row, rendered)

    async def fill(self, session: AsyncSession, row: PublishedPage, rendered: RenderedPage) -> None:
        """Puts what was rendered into its row."""
        new = row.html is None
        for name, value in rendered.values.items():
            setattr(row, name, value)
        await placing.place_dependencies(
            session,
            rendered.page_id,
            rendered.dependencies,
            first=new and not rendered.dependencies,
        )
        await placing.place_forms(session, rendered.page_id, rendered.forms, first=new)

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
            "pagination": None,
        }

    def _forms(self, version: PageVersion, found: Lookup) -> dict[str, dict[str, Any]]:
        """The forms among the blocks that a page shows; one that does not fit its type is none."""
        forms: dict[str, dict[str, Any]] = {}
        for stored in blocks_in([version.regions, *found.shared.values()]):
            if stored["type"] == Form.name:
                with contextlib.suppress(InvalidInput):
                    forms[stored["id"]] = self._types.read(stored).model_dump(mode="json")
        return forms

    def _html(
        self,
        theme: Theme,
        layout: str,
        page: dict[str, Any],
        content: Regions,
        found: Lookup,
        context: dict[str, Any],
    ) -> Values:
        """Uses nothing that the session has to load: it may be closed by now."""
        around = Around(found.targets, page, found.lists, found.shared)
        regions = {
            region: self._renderer.render(blocks, theme, around)
            for region, blocks in content.items()
        }
        layout = layout if layout in theme.layouts else "page"
        body = regions.get("main", Safe(""))
        html = hasten(theme.render(layout, page=page, body=body, regions=regions, **context))
        if body not in html:  # the first picture is in it
            body = Safe(hasten(body))  # noqa: S704 - of what is safe
        start = html.find(body) + 1 if body else 0
        return {
            "html": html,
            "body_start": start,
            "body_length": len(body) if start else 0,
            "text": words_of("\n".join(regions.values())),
        }


def shown(row: Any, root: str) -> dict[str, Any]:
    """What templates get as ``page``, from a placed page in the language below ``root``."""
    item = item_of(row)
    return {
        "title": row.title,
        "summary": row.summary,
        "url": row.path,
        "date": item.date,
        "author": row.card["author"],
        "tags": item.tags,
        "image": item.image,
        "language": row.language,
        "root": root,
    }


def _head(
    site: Site,
    row: PublishedPage,
    version: PageVersion,
    context: dict[str, Any],
    translations: list[tuple[str, str]],
    *,
    indexed: bool,
) -> Head:
    paths = {row.language: row.path, **dict(translations)}
    return Head(
        title=row.title,
        description=row.summary,
        path=row.path,
        root=language_root(site.language, row.language),
        site_title=site.title,
        language=row.language,
        image=row.card.get("image") or {},
        article=row.layout == DATED,
        date=date_of(row.card),
        author=row.card["author"],
        tags=row.card["tags"],
        changed_at=version.at,
        trail=[(item.title, item.url) for item in context["breadcrumbs"]],
        translations=translations,
        otherwise=paths.get(site.language),
        feeds=any(child.date for child in context["children"]),
        indexed=indexed,
    )
