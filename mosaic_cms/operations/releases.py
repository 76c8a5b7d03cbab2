"""Releases: several pages at once, or not at all."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Model, action
from mosaic_cms.content.lines import line_of
from mosaic_cms.content.models import Release, Site
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.publishing import Publisher
from mosaic_cms.content.releases import (
    delete_release,
    find_release,
    pages_of,
    problems_of,
    publish_release,
    require_open,
    set_pages,
)
from mosaic_cms.content.schedules import What
from mosaic_cms.content.tree import find_page, find_site
from mosaic_cms.operations.page_views import SiteOfTenant
from mosaic_cms.operations.schedules import ScheduleView, scheduled
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.head import Write
from mosaic_core.types import new_id


class CreateRelease(Model):
    """A new release, without pages."""

    title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(line_of)]
    site: str | None = None


class ReleaseAt(Model):
    """A release, by its id."""

    id: uuid.UUID
    site: str | None = None


class AddToRelease(Model):
    """Pages of a release, by their paths, and what happens to them."""

    id: uuid.UUID
    paths: tuple[str, ...]
    action: What = "publish"
    site: str | None = None


class RemoveFromRelease(Model):
    """Pages that are to be no part of a release, by their paths or ids."""

    id: uuid.UUID
    paths: tuple[str, ...] = ()
    page_ids: tuple[uuid.UUID, ...] = ()
    site: str | None = None


class ScheduleRelease(Model):
    """When a release is published."""

    id: uuid.UUID
    #: As for a page.
    at: str
    time_zone: str | None = None
    which: Literal["first", "second"] | None = None
    site: str | None = None


class ReleaseView(Model):
    """A release in a list."""

    id: uuid.UUID
    title: str
    pages: int
    created_at: datetime
    released_at: datetime | None


class ReleasedPage(Model):
    """A page of a release; ``path`` is None when it is not there any more."""

    id: uuid.UUID
    path: str | None
    title: str
    action: str


class Problem(Model):
    """What keeps a release from being published: the page with the place, and what."""

    where: str
    what: str


class ReleaseDetail(ReleaseView):
    """A release with its pages, and all that keeps it from being published."""

    content: tuple[ReleasedPage, ...]
    problems: tuple[Problem, ...]


@action("releases.create", needs=Permission("create", "content"), http="POST /releases")
async def create(scope: TenantScope, command: CreateRelease) -> ReleaseView:
    """Makes a release."""

    async def fn(write: Write) -> ReleaseView:
        site = await find_site(write.session, command.site)
        release = Release(
            id=new_id(),
            site_id=site.id,
            title=command.title,
            pages={},
            created_at=write.at,
            released_at=None,
        )
        write.session.add(release)
        return _view(release)

    return await scope.write(fn)


@action(
    "releases.add",
    needs=Permission("update", "content"),
    http="POST /releases/{id}/pages",
    of=Release,
)
async def add(scope: TenantScope, command: AddToRelease) -> ReleaseDetail:
    """Adds pages to a release, or changes what happens to them."""

    async def fn(write: Write) -> ReleaseDetail:
        site, release = await _found(write.session, command)
        pages = [await find_page(write.session, site, path_of(path)) for path in command.paths]
        set_pages(release, {page.id: command.action for page in pages})
        return await _detail(write.session, scope.product.publisher, release)

    return await scope.write(fn)


@action(
    "releases.remove",
    needs=Permission("update", "content"),
    http="DELETE /releases/{id}/pages",
    of=Release,
)
async def remove(scope: TenantScope, command: RemoveFromRelease) -> ReleaseDetail:
    """Takes pages out of a release."""

    async def fn(write: Write) -> ReleaseDetail:
        site, release = await _found(write.session, command)
        pages = [await find_page(write.session, site, path_of(path)) for path in command.paths]
        set_pages(release, dict.fromkeys([*(page.id for page in pages), *command.page_ids]))
        return await _detail(write.session, scope.product.publisher, release)

    return await scope.write(fn)


@action("releases.list", needs=Permission("read", "content"), effect="read", http="GET /releases")
async def list_releases(scope: TenantScope, command: SiteOfTenant) -> list[ReleaseView]:
    """A site's releases, newest first."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        rows = select(Release).where(Release.site_id == site.id)
        return [_view(row) for row in await session.scalars(rows.order_by(Release.id.desc()))]


@action(
    "releases.show",
    needs=Permission("read", "content"),
    effect="read",
    http="GET /releases/{id}",
    of=Release,
)
async def show(scope: TenantScope, command: ReleaseAt) -> ReleaseDetail:
    """A release with its pages, and all that keeps it from being published."""
    async with scope.read() as session:
        _, release = await _found(session, command)
        return await _detail(session, scope.product.publisher, release)


@action(
    "releases.publish",
    needs=Permission("publish", "content"),
    http="POST /releases/{id}/publish",
    of=Release,
)
async def publish(scope: TenantScope, command: ReleaseAt) -> ReleaseDetail:
    """Publishes and unpublishes a release's pages at once, or none of them."""

    async def fn(write: Write) -> ReleaseDetail:
        site, release = await _found(write.session, command)
        await publish_release(write, scope.product.publisher, site, release)
        return await _detail(write.session, scope.product.publisher, release)

    return await scope.write(fn)


@action(
    "releases.schedule",
    needs=Permission("publish", "content"),
    http="POST /releases/{id}/schedules",
    of=Release,
)
async def schedule(scope: TenantScope, command: ScheduleRelease) -> ScheduleView:
    """Publishes a release at a time."""

    async def fn(write: Write) -> ScheduleView:
        site, release = await _found(write.session, command)
        require_open(release)
        at, zone = command.at, command.time_zone
        return await scheduled(scope, write, site, release, "publish", at, zone, command.which)

    return await scope.write(fn)


@action(
    "releases.delete",
    needs=Permission("delete", "content"),
    http="DELETE /releases/{id}",
    of=Release,
)
async def delete(scope: TenantScope, command: ReleaseAt) -> ReleaseView:
    """Deletes a release, whether it was published or not. What was to happen to it does not happen
    any more; its pages stay as they are."""

    async def fn(write: Write) -> ReleaseView:
        _, release = await _found(write.session, command)
        view = _view(release)
        await delete_release(write, release)
        return view

    return await scope.write(fn, reserve=True)


async def _found(
    session: AsyncSession,
    command: ReleaseAt | AddToRelease | RemoveFromRelease | ScheduleRelease,
) -> tuple[Site, Release]:
    site = await find_site(session, command.site)
    return site, await find_release(session, site, command.id)


def _view(release: Release) -> ReleaseView:
    return ReleaseView(
        id=release.id,
        title=release.title,
        pages=len(release.pages),
        created_at=release.created_at,
        released_at=release.released_at,
    )


async def _detail(session: AsyncSession, publisher: Publisher, release: Release) -> ReleaseDetail:
    there = await pages_of(session, release)
    content = []
    for key, what in release.pages.items():
        page = there.get(uuid.UUID(key))
        content.append(
            ReleasedPage(
                id=uuid.UUID(key),
                path=page.path if page else None,
                title=page.title if page else "",
                action=what,
            )
        )
    content.sort(key=lambda page: page.path or "")
    problems = []
    if release.released_at is None:
        problems = await problems_of(session, publisher, release)
    return ReleaseDetail(
        **_view(release).model_dump(),
        content=tuple(content),
        problems=tuple(Problem(where=where, what=what) for where, what in problems),
    )
