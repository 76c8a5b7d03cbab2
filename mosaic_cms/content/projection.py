"""The published projection: what visitors can reach, made from live versions.

A page is *placed* (its address, title and card: what other pages show of it) and *rendered* (all
between header and footer). Rendering reads nothing but what is placed, so no draft can be in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Sequence
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
from mosaic_cms.content.head_tags import Head, encoded, head_tags
from mosaic_cms.content.items import DATED, date_of, item_of
from mosaic_cms.content.language_tags import language_root
from mosaic_cms.content.lookup import Lookup, look_up
from mosaic_cms.content.markup import Markup
from mosaic_cms.content.models import Page, PageVersion, Site
from mosaic_cms.content.pagination import pagination
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.content.references import in_chunks
from mosaic_cms.content.surroundings import Surroundings, surroundings
from mosaic_cms.pictures.tag import hasten
from mosaic_cms.themes import Theme, Themes
from mosaic_core.errors import ConfigurationError, InvalidInput

_log = logging.getLogger("mosaic.content")
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

    async def render(
        self, session: AsyncSession, page_ids: Sequence[uuid.UUID]
    ) -> list[RenderedPage]:
        """Renders placed pages. What is not placed (any more) is left out, and what its theme
        cannot render is logged. Between two pages, whoever else waits for this process has a turn.
        """
        placed = await _placed(session, page_ids)
        around = await surroundings(session, [row for row, _, _ in placed])
        made = []
        for row, version, site in placed:
            await asyncio.sleep(0)
            try:
                made.append(await self._render(session, site, version, row, around[row.page_id]))
            except ConfigurationError as error:
                _log.error("the page %s: %s", row.page_id, error)
        return made

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
        around = Surroundings() if alone else (await surroundings(session, [row]))[row.page_id]
        return await self._render(session, site, version, row, around)

    async def _render(
        self,
        session: AsyncSession,
        site: Site,
        version: PageVersion,
        row: PublishedPage,
        around: Surroundings,
    ) -> RenderedPage:
        theme = self._themes.get(site.theme)
        room = theme.manifest.picture_width
        found = await look_up(session, self._types, row, version.regions, room=room)
        page = shown(row, language_root(site.language, row.language))
        answers = [
            (found.targets.link(target), found.targets.picture(target))
            for target in found.references
        ]
        shows = [theme, row.layout, page, version.regions]
        shows += [found.shared, found.lists, answers, around]
        run = partial(self._html, theme, row.layout, page, version.regions, found, around)
        work = Work(row.page_id, found.size, shows, run)
        values = dict(await rendered(session, work, self.aside))
        indexed = str(version.details.get("noindex") or "").lower() not in {"true", "yes", "1"}
        values |= {
            "head": head_tags(_head(site, row, version, around, indexed=indexed)),
            "changed_at": version.at,
            "indexed": indexed,
            "theme": theme.name,
            "theme_revision": theme.revision,
        }
        forms = self._forms(version, found)
        return RenderedPage(row.page_id, values, frozenset(found.dependencies), forms)

    async def store(self, session: AsyncSession, pages: Sequence[RenderedPage]) -> None:
        """Puts rendered pages into their rows, inside a write."""
        made = {page.page_id: page for page in pages}
        rows: list[PublishedPage] = []
        for ids in in_chunks(made):
            query = select(PublishedPage).where(PublishedPage.page_id.in_(ids))
            rows += await session.scalars(query)
        await self.fill(session, [(row, made[row.page_id]) for row in rows])

    async def fill(
        self, session: AsyncSession, pages: Sequence[tuple[PublishedPage, RenderedPage]]
    ) -> None:
        """Puts what was rendered into rows."""
        shown: dict[uuid.UUID, frozenset[str]] = {}
        forms: dict[uuid.UUID, dict[str, dict[str, Any]]] = {}
        for row, made in pages:
            new = row.html is None  # then nothing was recorded for it: none is none
            if not new or made.dependencies:
                shown[row.page_id] = made.dependencies
            if not new or made.forms:
                forms[row.page_id] = made.forms
            for name, value in made.values.items():
                setattr(row, name, value)
        await placing.place_shown(session, shown, forms)

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
        around: Surroundings,
    ) -> Values:
        """Uses nothing that the session has to load: it may be closed by now."""
        within = Around(found.targets, page, found.lists, found.shared)
        layout = layout if layout in theme.layouts else "page"
        # What the layout has no place for is not shown, and so not found either.
        regions = {
            region: self._renderer.render(blocks, theme, within)
            for region, blocks in content.items()
            if region in theme.manifest.layouts[layout].regions
        }
        body = regions.get("main", Safe(""))
        html = theme.render(
            layout,
            page=page,
            body=body,
            regions=regions,
            breadcrumbs=around.trail,
            children=around.children,
            previous=around.previous,
            next=around.following,
            pagination=pagination(encoded(page["url"]), 1, around.pages),
        )
        html = hasten(html)
        if body not in html:  # the first picture is in it
            body = Safe(hasten(body))  # noqa: S704 - of what is safe
        start = html.find(body) + 1 if body else 0
        return {
            "html": html,
            "body_start": start,
            "body_length": len(body) if start else 0,
            "text": words_of("\n".join(regions.values())),
        }


async def _placed(
    session: AsyncSession, page_ids: Sequence[uuid.UUID]
) -> list[tuple[PublishedPage, PageVersion, Site]]:
    """The placed ones of some pages, in their order, with what they were placed from."""
    found: dict[uuid.UUID, tuple[PublishedPage, PageVersion, Site]] = {}
    for ids in in_chunks(page_ids):
        rows = await session.execute(
            select(PublishedPage, PageVersion, Site)
            .join(Page, Page.id == PublishedPage.page_id)
            .join(PageVersion, PageVersion.id == Page.live_version_id)
            .join(Site, Site.id == Page.site_id)
            .where(PublishedPage.page_id.in_(ids))
        )
        found |= {row.page_id: (row, version, site) for row, version, site in rows}
    return [found[page_id] for page_id in page_ids if page_id in found]


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
    around: Surroundings,
    *,
    indexed: bool,
) -> Head:
    paths = {row.language: row.path, **dict(around.translations)}
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
        trail=[(item.title, item.url) for item in around.trail],
        translations=around.translations,
        otherwise=paths.get(site.language),
        feeds=any(child.date for child in around.children),
        indexed=indexed,
    )
