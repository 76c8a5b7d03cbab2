"""Deleting pages, and getting them back."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Model, action
from mosaic_cms.content.bin import (
    delete_page,
    find_in_bin,
    in_bin,
    put_in_bin,
    take_out,
    went_together,
)
from mosaic_cms.content.models import Page
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.placing import place_redirects
from mosaic_cms.content.tree import find_page, find_site, with_all_below
from mosaic_cms.content.uses import require_unused
from mosaic_cms.operations.page_views import PageAt, PageView, SiteOfTenant, facts, found
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.head import Write

#: Pages that are deleted in one write.
_BATCH = 100


class BinnedPage(Model):
    """A page in the bin; ``below`` counts those that went there with it."""

    id: uuid.UUID
    path: str
    title: str
    below: int
    binned_at: datetime


class DeletePage(PageAt):
    """A page that goes; ``force`` even if others use it."""

    force: bool = False


class RestoreFromBin(Model):
    """A page in the bin, and where it goes: None is where it was."""

    id: uuid.UUID
    parent: str | None = None
    slug: str | None = None
    site: str | None = None


class PurgePage(Model):
    """A page in the bin."""

    id: uuid.UUID
    site: str | None = None


class Purged(Model):
    """How many pages were deleted for good."""

    pages: int


@action("pages.delete", needs=Permission("delete", "content"), http="DELETE /pages/{path}")
async def delete(scope: TenantScope, command: DeletePage) -> BinnedPage:
    """Moves a page with all below it to the bin; visitors lose them too. What others use stays."""

    async def fn(write: Write) -> BinnedPage:
        site, page = await found(write, command)
        pages = await with_all_below(write.session, page)
        targets = [f"page:{one.id}" for one in pages]
        readable = await scope.readable(write.session)
        await require_unused(write.session, *targets, readable=readable, force=command.force)
        live = [one for one in pages if one.live_version_id is not None]
        if live:
            await scope.product.publisher.unpublish(write, site, *live)
        await put_in_bin(write, page)
        return _binned(page, len(pages) - 1)

    return await scope.write(fn, reserve=True)


@action("pages.bin", needs=Permission("read", "content"), effect="read", http="GET /bin")
async def list_bin(scope: TenantScope, command: SiteOfTenant) -> list[BinnedPage]:
    """What is in the bin, newest first."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        return [_binned(page, below) for page, below in await in_bin(session, site)]


@action(
    "pages.restore_from_bin",
    needs=Permission("create", "content"),
    http="POST /bin/{id}/restore",
    of=Page,
)
async def restore_from_bin(scope: TenantScope, command: RestoreFromBin) -> list[PageView]:
    """Puts a page back to where it was, with what was below it, as drafts."""

    async def fn(write: Write) -> list[PageView]:
        site = await find_site(write.session, command.site)
        page = await find_in_bin(write.session, site, command.id)
        parent = None
        if command.parent is not None:
            parent = await find_page(write.session, site, path_of(command.parent))
        pages = await take_out(write, site, page, parent=parent, slug=command.slug)
        return [PageView(**facts(one, None)) for one in pages]

    return await scope.write(fn)


@action("pages.purge", needs=Permission("delete", "content"), http="DELETE /bin/{id}", of=Page)
async def purge_page(scope: TenantScope, command: PurgePage) -> Purged:
    """Deletes a page in the bin for good, with its versions, schedules, submissions, comments."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        page = await find_in_bin(session, site, command.id)
        ids = await _below_first(session, page)
    return await _purge(scope, command.site, ids)


@action("pages.empty_bin", needs=Permission("delete", "content"), http="DELETE /bin")
async def empty_bin(scope: TenantScope, command: SiteOfTenant) -> Purged:
    """Deletes all that is in the bin for good, as ``pages.purge`` does."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        tops = [page for page, _ in await in_bin(session, site)]
        ids = [page_id for top in tops for page_id in await _below_first(session, top)]
    return await _purge(scope, command.site, ids)


async def _below_first(session: AsyncSession, top: Page) -> list[uuid.UUID]:
    return [page.id for page in reversed(await went_together(session, top))]


async def _purge(scope: TenantScope, site: str | None, ids: list[uuid.UUID]) -> Purged:
    """A site's worth is deleted in several writes, those below first, so that one that is stopped
    leaves what it can go on with."""

    async def fn(write: Write, batch: list[uuid.UUID]) -> int:
        pages = [await write.session.get(Page, page_id) for page_id in batch]
        there = [page for page in pages if page is not None and page.binned_at is not None]
        for page in there:
            await delete_page(write, page)
        await place_redirects(write.session, await find_site(write.session, site))
        return len(there)

    done = 0
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        done += await scope.write(
            lambda write, batch=batch: fn(write, batch),  # type: ignore[misc]
            reserve=True,
        )
        scope.progress("pages", start + len(batch), len(ids))
    return Purged(pages=done)


def _binned(page: Page, below: int) -> BinnedPage:
    assert page.binned_at is not None
    assert page.binned_path is not None
    return BinnedPage(
        id=page.id,
        path=page.binned_path,
        title=page.title,
        below=below,
        binned_at=page.binned_at,
    )
