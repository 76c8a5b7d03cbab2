"""A page's versions: naming, showing, comparing, restoring."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.compare import Comparison, compare
from mosaic_cms.content.models import Page, PageVersion
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.tree import find_page, find_site
from mosaic_cms.content.versions import (
    content_at,
    find_version,
    name_version,
    restore_version,
)
from mosaic_cms.operations.page_views import (
    PageAt,
    PageDetail,
    detailed,
    found,
    live_version,
)
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.head import Write

#: One of a page's states: its draft, what visitors see, or a version by its number.
Which = Literal["draft", "live"] | int


class NameVersion(Model):
    """A name for a version; without a number for the draft, which becomes one."""

    path: str
    name: str
    number: int | None = None
    site: str | None = None


class VersionAt(Model):
    """A page's version."""

    path: str
    number: int
    site: str | None = None


class ComparePage(Model):
    """Two states of a page."""

    path: str
    old: Which = "live"
    new: Which = "draft"
    site: str | None = None


class VersionView(Model):
    """A version in a list; ``live`` is the one that visitors see."""

    number: int
    name: str | None
    title: str
    at: datetime
    actor: str
    live: bool


class VersionDetail(VersionView):
    """A version with its content."""

    layout: str
    summary: str
    regions: dict[str, Any]
    details: dict[str, Any]


class RestoredPage(PageDetail):
    """A page's draft after a version was restored; ``kept`` is the version with the old draft."""

    kept: int


@action(
    "pages.versions",
    needs=Permission("read", "content"),
    effect="read",
    http="GET /pages/{path}/versions",
)
async def list_versions(scope: TenantScope, command: PageAt) -> list[VersionView]:
    """A page's versions, newest first."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        page = await find_page(session, site, path_of(command.path))
        rows = await session.execute(
            select(
                PageVersion.id,
                PageVersion.number,
                PageVersion.name,
                PageVersion.title,
                PageVersion.at,
                PageVersion.actor,
            )
            .where(PageVersion.page_id == page.id)
            .order_by(PageVersion.number.desc())
        )
        return [_seen(page, row) for row in rows]


@action(
    "pages.show_version",
    needs=Permission("read", "content"),
    effect="read",
    http="GET /pages/{path}/versions/{number}",
)
async def show_version(scope: TenantScope, command: VersionAt) -> VersionDetail:
    """A version's content."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        page = await find_page(session, site, path_of(command.path))
        version = await find_version(session, page, command.number)
        return VersionDetail(
            **_seen(page, version).model_dump(),
            layout=version.layout,
            summary=version.summary,
            regions=version.regions,
            details=version.details,
        )


@action(
    "pages.name_version",
    needs=Permission("update", "content"),
    http="POST /pages/{path}/versions",
)
async def name(scope: TenantScope, command: NameVersion) -> VersionView:
    """Names the draft as it is, or a version that there is."""

    async def fn(write: Write) -> VersionView:
        _, page = await found(write, command)
        version = await name_version(write, page, command.name, command.number)
        return _seen(page, version)

    return await scope.write(fn)


@action(
    "pages.compare",
    needs=Permission("read", "content"),
    effect="read",
    http="GET /pages/{path}/compare",
)
async def compare_page(scope: TenantScope, command: ComparePage) -> Comparison:
    """What differs between two states of a page: block by block, word by word."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        page = await find_page(session, site, path_of(command.path))
        old, new = [await content_at(session, page, which) for which in (command.old, command.new)]
    return await asyncio.to_thread(compare, old, new, scope.product.blocks)


@action(
    "pages.restore",
    needs=Permission("update", "content"),
    http="POST /pages/{path}/versions/{number}/restore",
)
async def restore(scope: TenantScope, command: VersionAt) -> RestoredPage:
    """Makes a version the draft; what the draft was is kept as a version."""

    async def fn(write: Write) -> RestoredPage:
        _, page = await found(write, command)
        kept = await restore_version(write, page, command.number)
        live = await live_version(write, page)
        return RestoredPage(**detailed(scope.product.blocks, page, live), kept=kept.number)

    return await scope.write(fn)


def _seen(page: Page, version: Any) -> VersionView:
    return VersionView(
        number=version.number,
        name=version.name,
        title=version.title,
        at=version.at,
        actor=version.actor,
        live=version.id == page.live_version_id,
    )
