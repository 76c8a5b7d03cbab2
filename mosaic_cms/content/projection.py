"""The published projection: what visitors can reach, made from live versions.

A page is *placed* (its address, title and card: what other pages show of it) and *rendered* (its
own region). Rendering reads nothing but what is placed, so no draft can be in it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup as Safe
from sqlalchemy import delete, insert, or_, select, update
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
from mosaic_core.head import Write

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

    # Placing

    async def place(self, write: Write, site: Site, page: Page, version: PageVersion) -> None:
        """Puts a live version's facts into the projection."""
        media = await _media(write.session, [version.details.get("image") or ""])
        values = {
            "site_id": site.id,
            "language": site.language,
            "path": page.path,
            "parent_id": page.parent_id,
            "position": page.position,
            "layout": version.layout,
            "title": version.title,
            "summary": version.summary,
            "card": _card(version, media),
        }
        row = await _row(write.session, page.id)
        if row is None:
            await write.session.execute(
                insert(PublishedPage).values(
                    page_id=page.id, html=None, head="", text="", theme_revision="", **values
                )
            )
        elif any(getattr(row, name) != value for name, value in values.items()):
            await write.session.execute(
                update(PublishedPage).where(PublishedPage.page_id == page.id).values(**values)
            )

    async def remove(self, write: Write, page_id: uuid.UUID) -> None:
        """Takes a page out of the projection."""
        await write.session.execute(delete(PublishedPage).where(PublishedPage.page_id == page_id))
        await write.session.execute(delete(PublishedLink).where(PublishedLink.source_id == page_id))

    async def place_site(self, write: Write, site: Site) -> None:
        """Puts what surrounds the pages into the projection: settings, menus, redirects."""
        session = write.session
        paths = set(
            await session.scalars(
                select(PublishedPage.path).where(PublishedPage.site_id == site.id)
            )
        )
        footer = self._markup.render(site.footer, _Targets({}, {})).html if site.footer else ""
        values = {
            "key": site.key,
            "position": site.position,
            "surround": {
                "title": site.title,
                "tagline": site.tagline,
                "theme": site.theme,
                "theme_settings": site.theme_settings,
                "footer": footer,
                "menu": [item for item in site.menu if item["path"] in paths],
                "footer_menu": [item for item in site.footer_menu if item["path"] in paths],
            },
        }
        where = (PublishedSite.site_id == site.id, PublishedSite.language == site.language)
        row = (await session.execute(select(PublishedSite).where(*where))).scalar_one_or_none()
        if row is None:
            await session.execute(
                insert(PublishedSite).values(site_id=site.id, language=site.language, **values)
            )
        elif any(getattr(row, name) != value for name, value in values.items()):
            await session.execute(update(PublishedSite).where(*where).values(**values))
        await self._place_redirects(write, site)

    async def _place_redirects(self, write: Write, site: Site) -> None:
        session = write.session
        wanted = await _pairs(session, Redirect, site)
        placed = await _pairs(session, PublishedRedirect, site)
        for source in placed.keys() - wanted.keys():
            await session.execute(
                delete(PublishedRedirect).where(
                    PublishedRedirect.site_id == site.id, PublishedRedirect.source == source
                )
            )
        for source, target in wanted.items():
            if source not in placed:
                await session.execute(
                    insert(PublishedRedirect).values(site_id=site.id, source=source, target=target)
                )
            elif placed[source] != target:
                await session.execute(
                    update(PublishedRedirect)
                    .where(PublishedRedirect.site_id == site.id, PublishedRedirect.source == source)
                    .values(target=target)
                )

    # Rendering

    async def render(self, session: AsyncSession, page_id: uuid.UUID) -> RenderedPage | None:
        """Renders one placed page; None when it is not placed (any more)."""
        row = await _row(session, page_id)
        page = await session.get(Page, page_id)
        if row is None or page is None or page.live_version_id is None:
            return None
        version = await session.get(PageVersion, page.live_version_id)
        site = await session.get(Site, page.site_id)
        assert version is not None
        assert site is not None
        theme = self._themes.get(site.theme)
        targets, links = await self._targets(session, version)
        body = self._markup.render(version.body, targets)
        context = await self._context(session, row)
        html = self._html(theme, site, row, version, Safe(body.html), context)  # noqa: S704 - sanitised by Markup
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
        return RenderedPage(page_id, values, links)

    async def store(self, write: Write, rendered: RenderedPage) -> None:
        """Puts a rendered page into its row, when it differs from what is there."""
        row = await _row(write.session, rendered.page_id)
        if row is not None and any(getattr(row, k) != v for k, v in rendered.values.items()):
            await write.session.execute(
                update(PublishedPage)
                .where(PublishedPage.page_id == rendered.page_id)
                .values(**rendered.values)
            )
        known = set(
            await write.session.scalars(
                select(PublishedLink.target_id).where(PublishedLink.source_id == rendered.page_id)
            )
        )
        for target in sorted(known - rendered.links):
            await write.session.execute(
                delete(PublishedLink).where(
                    PublishedLink.source_id == rendered.page_id, PublishedLink.target_id == target
                )
            )
        for target in sorted(rendered.links - known):
            await write.session.execute(
                insert(PublishedLink).values(source_id=rendered.page_id, target_id=target)
            )

    async def dependents(self, session: AsyncSession, page_id: uuid.UUID) -> set[uuid.UUID]:
        """The published pages that show something of this one, itself left out."""
        row = await _row(session, page_id)
        linked = select(PublishedLink.source_id).where(PublishedLink.target_id == page_id)
        found = set(await session.scalars(linked))
        if row is not None:
            if row.parent_id is not None:
                found.add(row.parent_id)
            found |= set(
                await session.scalars(
                    select(PublishedPage.page_id).where(
                        PublishedPage.site_id == row.site_id,
                        PublishedPage.path.startswith(row.path, autoescape=True),
                    )
                )
            )
            if row.layout == _DATED:
                found |= {item.id for item in await _neighbours(session, row) if item}
        return found - {page_id}

    async def _targets(
        self, session: AsyncSession, version: PageVersion
    ) -> tuple[_Targets, frozenset[uuid.UUID]]:
        found = _REFERENCE.findall(version.body)
        ids = {uuid.UUID(key) for kind, key in found if kind == "page"}
        rows = await session.execute(
            select(PublishedPage.page_id, PublishedPage.path).where(PublishedPage.page_id.in_(ids))
        )
        pages = {str(page_id): path for page_id, path in rows}
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


def _item(row: PublishedPage) -> Item:
    card = row.card
    image = _Image(**card["image"]) if card.get("image") else None
    date = datetime.fromisoformat(card["date"]) if card.get("date") else None
    return Item(row.page_id, row.title, row.path, row.summary, date, tuple(card["tags"]), image)


async def _row(session: AsyncSession, page_id: uuid.UUID) -> PublishedPage | None:
    query = select(PublishedPage).where(PublishedPage.page_id == page_id)
    found = await session.execute(query, execution_options={"populate_existing": True})
    return found.scalar_one_or_none()


async def _items(session: AsyncSession, *where: Any) -> list[Item]:
    rows = await session.scalars(
        select(PublishedPage)
        .where(*where)
        .order_by(PublishedPage.position, PublishedPage.path)
        .execution_options(populate_existing=True)
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


async def _neighbours(session: AsyncSession, row: PublishedPage) -> tuple[Item | None, Item | None]:
    """The post before and the post after this one, in time."""
    posts = await _items(
        session,
        PublishedPage.site_id == row.site_id,
        PublishedPage.parent_id.is_not_distinct_from(row.parent_id),
        or_(PublishedPage.layout == _DATED, PublishedPage.page_id == row.page_id),
    )
    posts.sort(key=_newest_first)
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


async def _pairs(session: AsyncSession, table: Any, site: Site) -> dict[str, str]:
    rows = await session.execute(select(table.source, table.target).where(table.site_id == site.id))
    return {row[0]: row[1] for row in rows}
