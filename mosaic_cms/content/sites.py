"""Sites as a whole: a new one, and one that goes."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.drafts import forget_drafts
from mosaic_cms.content.erasing import delete_for_good
from mosaic_cms.content.models import (
    Media,
    MediaUpload,
    Menu,
    Page,
    Redirect,
    Release,
    Schedule,
    SharedBlock,
    Site,
)
from mosaic_cms.content.published import (
    PublishedDependency,
    PublishedForm,
    PublishedPage,
    PublishedRedirect,
    PublishedSite,
    PublishedTerm,
)
from mosaic_cms.media import shelf
from mosaic_core.errors import Conflict, QuotaExceeded
from mosaic_core.head import Write
from mosaic_core.tenants import Limits
from mosaic_core.types import new_id


async def add_site(
    write: Write, limits: Limits, *, key: str, title: str, language: str, theme: str, zone: str
) -> Site:
    """Makes a site without pages.

    Raises:
        QuotaExceeded: the tier has no more.
        Conflict: the key is taken.
    """
    session = write.session
    sites = list(await session.scalars(select(Site).order_by(Site.position)))
    if limits.sites is not None and len(sites) >= limits.sites:
        count = "1 site" if limits.sites == 1 else f"{limits.sites} sites"
        raise QuotaExceeded(
            f"The tier has {count}, and there {'is' if len(sites) == 1 else 'are'} {len(sites)}.",
            hint="Delete a site that is not needed, or move the tenant to a larger tier.",
        )
    if any(site.key == key for site in sites):
        raise Conflict(f"There is a site {key!r} already.", hint="Use another key.")
    site = Site(
        id=new_id(),
        key=key,
        position=sites[-1].position + 1 if sites else 0,
        title=title,
        tagline="",
        language=language,
        languages=[],
        time_zone=zone,
        theme=theme,
        theme_settings={},
        footer="",
    )
    session.add(site)
    await session.flush()  # its pages point to it
    return site


async def close_site(write: Write, site: Site) -> list[uuid.UUID]:
    """Takes a site from visitors with everything around its pages; returns the pages that are left
    to be deleted, those below others first.

    Raises:
        Conflict: it is the tenant's only one.
    """
    session = write.session
    if await session.scalar(select(func.count()).select_from(Site)) == 1:
        raise Conflict(
            f"{site.key!r} is the only site of its tenant.", hint="A tenant has one at least."
        )
    pages = {page.id: page for page in await _of(session, Page, site)}
    for page in pages.values():
        page.live_version_id = None
    await session.flush()
    placed = select(PublishedPage.page_id).where(PublishedPage.site_id == site.id)
    about_pages: tuple[Any, ...] = (PublishedDependency, PublishedForm, PublishedTerm)
    for table in about_pages:
        await session.execute(delete(table).where(table.page_id.in_(placed)))
    around: tuple[Any, ...] = (PublishedPage, PublishedRedirect, PublishedSite)
    for table in around:
        await session.execute(delete(table).where(table.site_id == site.id))
    shared = await _of(session, SharedBlock, site)
    await forget_drafts(session, [block.id for block in shared])
    for kind in (Schedule, Release, Menu, Redirect, SharedBlock):
        await delete_for_good(write, await _of(session, kind, site))
        await session.flush()
    site.position += 1_000_000  # whoever asks for the tenant's first site gets another one
    return sorted(pages, key=lambda key: _depth(pages, pages[key]), reverse=True)


async def drop_site(write: Write, site: Site) -> int:
    """Deletes a site that has no pages any more, with its files; returns how many these were."""
    session = write.session
    uploads = await _of(session, MediaUpload, site)
    await delete_for_good(write, uploads)
    await session.flush()
    await shelf.remove_later(write, {upload.key for upload in uploads})
    files = await _of(session, Media, site)
    await shelf.purge(write, files)
    await delete_for_good(write, [site])
    return len(files)


async def _of(session: AsyncSession, kind: Any, site: Site) -> list[Any]:
    return list(await session.scalars(select(kind).where(kind.site_id == site.id)))


def _depth(pages: dict[uuid.UUID, Page], page: Page) -> int:
    depth = 0
    while page.parent_id is not None:
        page, depth = pages[page.parent_id], depth + 1
    return depth
