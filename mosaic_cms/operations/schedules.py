"""Publishing and unpublishing at a time."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.due import local_time, parse_due, shown
from mosaic_cms.content.models import Page, Release, Schedule, Site
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.schedules import What, add_schedule, find_schedule
from mosaic_cms.content.tree import find_page, find_site
from mosaic_cms.operations.page_views import found
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.head import Write


class SchedulePage(Model):
    """What happens to a page, and when."""

    path: str
    #: ``2026-11-01 09:00`` on the clocks of ``time_zone``, or an ISO instant with an offset.
    at: str
    action: What = "publish"
    #: An IANA name; None is the site's own.
    time_zone: str | None = None
    #: Which of the two instants is meant by a time that comes twice.
    which: Literal["first", "second"] | None = None
    site: str | None = None


class ScheduleAt(Model):
    """A schedule, by its id."""

    id: uuid.UUID
    site: str | None = None


class Schedules(Model):
    """A site's schedules; with a path, those of that page."""

    path: str | None = None
    site: str | None = None


class ScheduleView(Model):
    """Something that is to happen, or (with its ``failure``) that could not be done."""

    id: uuid.UUID
    #: Of the page; None for a release.
    path: str | None
    release_id: uuid.UUID | None
    title: str
    action: str
    due: datetime
    #: ``due`` on the clocks of ``time_zone``.
    local: str
    time_zone: str
    actor: str
    failure: str | None
    #: ``due`` for people, with its offset.
    shown: str


@action(
    "pages.schedule", needs=Permission("publish", "content"), http="POST /pages/{path}/schedules"
)
async def schedule(scope: TenantScope, command: SchedulePage) -> ScheduleView:
    """Publishes or unpublishes a page at a time."""

    async def fn(write: Write) -> ScheduleView:
        site, page = await found(write, command)
        return await scheduled(
            scope,
            write,
            site,
            page,
            command.action,
            command.at,
            command.time_zone,
            command.which,
        )

    return await scope.write(fn)


@action(
    "pages.unschedule",
    needs=Permission("publish", "content"),
    http="DELETE /schedules/{id}",
    of=Schedule,
)
async def unschedule(scope: TenantScope, command: ScheduleAt) -> ScheduleView:
    """Takes back what was to happen, or what could not be done."""

    async def fn(write: Write) -> ScheduleView:
        site = await find_site(write.session, command.site)
        row = await find_schedule(write.session, site, command.id)
        about = await write.session.get(Page, row.page_id) if row.page_id else None
        release = await write.session.get(Release, row.release_id) if row.release_id else None
        await write.session.delete(row)
        return view(row, about or release)

    return await scope.write(fn)


@action(
    "pages.schedules", needs=Permission("read", "content"), effect="read", http="GET /schedules"
)
async def list_schedules(scope: TenantScope, command: Schedules) -> list[ScheduleView]:
    """What is to happen on a site, the next first, and what could not be done."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        query = select(Schedule).where(Schedule.site_id == site.id)
        if command.path is not None:
            page = await find_page(session, site, path_of(command.path))
            query = query.where(Schedule.page_id == page.id)
        rows = list(await session.scalars(query.order_by(Schedule.due, Schedule.id)))
        pages = select(Page).where(Page.id.in_([row.page_id for row in rows if row.page_id]))
        releases = select(Release).where(Release.site_id == site.id)
        about: dict[uuid.UUID | None, Page | Release] = {}
        about |= {page.id: page for page in await session.scalars(pages)}
        about |= {release.id: release for release in await session.scalars(releases)}
        return [view(row, about.get(row.page_id or row.release_id)) for row in rows]


async def scheduled(
    scope: TenantScope,
    write: Write,
    site: Site,
    about: Page | Release,
    what: What,
    at: str,
    time_zone: str | None,
    which: Literal["first", "second"] | None,
) -> ScheduleView:
    """Notes what is to happen, here and in the platform's agenda, and shows it."""
    zone = site.time_zone if time_zone is None else time_zone
    timekeeper = scope.product.timekeeper
    due = parse_due(at, zone, now=timekeeper.now(), which=which)
    row = await add_schedule(write, site, about, what, due, zone)
    await scope.product.platform.directory.agenda.expect(scope.tenant.tenant_id, due)
    return view(row, about)


def view(row: Schedule, about: Page | Release | None) -> ScheduleView:
    """A schedule with what it is about."""
    path = about.known_path if isinstance(about, Page) else None
    return ScheduleView(
        id=row.id,
        path=path,
        release_id=row.release_id,
        title=about.title if about is not None else "",
        action=row.action,
        due=row.due,
        local=local_time(row.due, row.time_zone),
        time_zone=row.time_zone,
        actor=row.actor,
        failure=row.failure,
        shown=shown(row.due, row.time_zone),
    )
