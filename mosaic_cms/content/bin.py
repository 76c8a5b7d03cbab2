"""The bin: pages that were deleted, each with all that was below it, until they are purged.

A page in it keeps its id, its versions and the page above it; its address is free for others.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.drafts import forget_drafts
from mosaic_cms.content.erasing import delete_for_good
from mosaic_cms.content.models import (
    Comment,
    Page,
    PageVersion,
    Release,
    Schedule,
    Site,
    Submission,
)
from mosaic_cms.content.page_language import language_at, speak
from mosaic_cms.content.paths import check_slug, join
from mosaic_cms.content.redirects import forget_page
from mosaic_cms.content.references import in_chunks
from mosaic_cms.content.tree import last_position, require_free, require_not_held, with_all_below
from mosaic_core.errors import Conflict, NotFound
from mosaic_core.head import Write

#: Where the addresses of pages in the bin are; no visitor's request leads there.
BIN = "/-/bin/"


async def put_in_bin(write: Write, page: Page) -> list[Page]:
    """Puts a page that is not published into the bin, with all below it, which is not either."""
    pages = await with_all_below(write.session, page)
    at = await _instant(write.session, page.site_id, write.at)
    for one in pages:
        one.binned_at, one.binned_path, one.binned_source = at, one.path, one.source
        one.path, one.source = f"{BIN}{one.id}/", None
    await write.session.flush()
    return pages


async def _instant(session: AsyncSession, site_id: uuid.UUID, now: datetime) -> datetime:
    """An instant at which nothing else went into the bin: by it those are known that went there
    together, and the clock may have been set back."""
    at = now
    while await session.scalar(
        select(Page.id).where(Page.site_id == site_id, Page.binned_at == at).limit(1)
    ):
        at += timedelta(microseconds=1)
    return at


async def find_in_bin(session: AsyncSession, site: Site, page_id: uuid.UUID) -> Page:
    """The page that was put into the bin, perhaps with others below it.

    Raises:
        NotFound: it is not in the bin, or was put there with the page above it.
    """
    page = await session.get(Page, page_id)
    if page is None or page.site_id != site.id or page.binned_at is None:
        raise NotFound(
            f"There is no page {page_id} in the bin of the site {site.key!r}.",
            hint="'mosaic page bin' shows what is in it.",
        )
    above = await session.get(Page, page.parent_id) if page.parent_id else None
    if above is not None and above.binned_at == page.binned_at:
        raise NotFound(
            f"The page {page.binned_path!r} went into the bin with the one above it.",
            hint=f"Take {above.binned_path!r} out: it brings the other with it.",
        )
    return page


async def in_bin(session: AsyncSession, site: Site) -> list[tuple[Page, int]]:
    """What was put into the bin, newest first, each with the number of pages below it there."""
    rows = await session.scalars(
        select(Page)
        .where(Page.site_id == site.id, Page.binned_at.is_not(None))
        .order_by(Page.binned_at.desc(), Page.id)
    )
    pages = {page.id: page for page in rows}

    def top(page: Page) -> Page:
        above = pages.get(page.parent_id) if page.parent_id else None
        return top(above) if above is not None and above.binned_at == page.binned_at else page

    counts: dict[uuid.UUID, int] = {}
    for page in pages.values():
        counts[top(page).id] = counts.get(top(page).id, -1) + 1
    return [(page, counts[page.id]) for page in pages.values() if page.id in counts]


async def take_out(
    write: Write, site: Site, page: Page, *, parent: Page | None, slug: str | None
) -> list[Page]:
    """Puts a page, with what went into the bin with it, back into the tree, as drafts.

    Args:
        parent: another page to put it below; None for the one that it was below.
        slug: another slug; None for its own.

    Raises:
        Conflict: the page above it is not there any more, or an address is taken or kept for
            the site itself.
    """
    session = write.session
    if parent is None:
        parent = await _above(session, page)
    slug = page.slug if slug is None else check_slug(slug)
    paths = {page.id: join(parent.path if parent else None, slug)}
    pages = await went_together(session, page)
    for one in pages:
        if one is not page:
            assert one.parent_id is not None
            paths[one.id] = join(paths[one.parent_id], one.slug)
        require_not_held(site, paths[one.id], before=one.binned_path)
        await require_free(session, site, paths[one.id])
    language = language_at(site, page, paths[page.id], parent=parent, before=page.binned_path)
    page.parent_id = parent.id if parent else None
    page.slug = slug
    page.position = await last_position(session, site, parent)
    for one in pages:
        one.path, one.source = paths[one.id], await _source(session, one)
        one.binned_at = one.binned_path = one.binned_source = None
        one.updated_at = write.at
    await session.flush()
    await speak(session, pages, language)
    await session.flush()
    return pages


async def purge(write: Write, page: Page) -> int:
    """Deletes a page for good, with what went into the bin with it and all that is about them;
    returns how many pages these were."""
    pages = await went_together(write.session, page)
    for one in reversed(pages):  # those below first
        await delete_page(write, one)
    return len(pages)


async def delete_page(write: Write, page: Page) -> None:
    """Deletes a page that nobody sees for good, with all that is about it, from the change log
    too. Pages that it was above stay, without one above them."""
    session = write.session
    for kind in (Schedule, Submission, Comment, PageVersion):
        await delete_for_good(write, await _rows(session, kind, page.id))
    await forget_page(session, page)
    for other in await session.scalars(select(Page).where(Page.parent_id == page.id)):
        other.parent_id = None
    for release in await session.scalars(select(Release).where(Release.site_id == page.site_id)):
        if str(page.id) in release.pages:
            release.pages = {k: what for k, what in release.pages.items() if k != str(page.id)}
    await forget_drafts(session, [page.id])
    await session.flush()  # they point to their page
    await delete_for_good(write, [page])
    await session.flush()


async def went_together(session: AsyncSession, page: Page) -> list[Page]:
    """A page in the bin and all that went there with it; each comes after the page above it."""
    found, level = [page], [page.id]
    while level:
        below: list[Page] = []
        for ids in in_chunks(level):
            query = select(Page).where(Page.parent_id.in_(ids), Page.binned_at == page.binned_at)
            below += await session.scalars(query.order_by(Page.position, Page.id))
        found += below
        level = [one.id for one in below]
    return found


async def _above(session: AsyncSession, page: Page) -> Page | None:
    """The page that a page in the bin was below."""
    if page.parent_id is not None:
        parent = await session.get_one(Page, page.parent_id)
        if parent.binned_at is None:
            return parent
        raise Conflict(
            f"The page above {page.binned_path!r}, {parent.binned_path!r}, is in the bin too.",
            hint="Take that one out first, or name another page to put it below.",
        )
    if page.binned_path != join(None, page.slug):
        raise Conflict(
            f"The page above {page.binned_path!r} was deleted for good.",
            hint="Name another page to put it below.",
        )
    return None


async def _source(session: AsyncSession, page: Page) -> str | None:
    """Its source, unless an import has made another page of it meanwhile."""
    if page.binned_source is None:
        return None
    taken = await session.scalar(
        select(Page.id).where(Page.site_id == page.site_id, Page.source == page.binned_source)
    )
    return page.binned_source if taken is None else None


async def _rows(session: AsyncSession, kind: Any, page_id: uuid.UUID) -> list[Any]:
    return list(await session.scalars(select(kind).where(kind.page_id == page_id)))
