"""What is to happen to pages and releases at an instant. The instant decides, not the clock that
it was read from; every function runs inside a write unless it takes a session."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Page, Release, Schedule, Site
from mosaic_cms.content.publishing import Publisher
from mosaic_cms.content.releases import publish_release
from mosaic_core.errors import NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: What can be done to a page at an instant.
What = Literal["publish", "unpublish"]


async def add_schedule(
    write: Write,
    site: Site,
    about: Page | Release,
    action: What,
    due: datetime,
    time_zone: str,
) -> Schedule:
    """Notes what is to happen; the same thing at the same instant is noted once."""
    mine = Schedule.page_id if isinstance(about, Page) else Schedule.release_id
    there: Schedule | None = await write.session.scalar(
        select(Schedule).where(
            mine == about.id,
            Schedule.action == action,
            Schedule.due == due,
            Schedule.failure.is_(None),
        )
    )
    if there is not None:
        return there
    row = Schedule(
        id=await _next_id(write.session, due),
        site_id=site.id,
        page_id=about.id if isinstance(about, Page) else None,
        release_id=about.id if isinstance(about, Release) else None,
        action=action,
        due=due,
        time_zone=time_zone,
        actor=write.info.actor,
        failure=None,
    )
    write.session.add(row)
    await write.session.flush()
    return row


async def _next_id(session: AsyncSession, due: datetime) -> uuid.UUID:
    """An id behind those of all that is due at the same instant: this is done in the order in which
    it was noted, also when the clock, which ids follow, was set back meanwhile."""
    there = list(await session.scalars(select(Schedule.id).where(Schedule.due == due)))
    return max([new_id(), *(uuid.UUID(int=last.int + 1) for last in there)])


async def find_schedule(session: AsyncSession, site: Site, schedule_id: uuid.UUID) -> Schedule:
    """The schedule with this id.

    Raises:
        NotFound: there is none (any more).
    """
    row = await session.get(Schedule, schedule_id)
    if row is None or row.site_id != site.id:
        raise NotFound(
            f"There is no schedule {schedule_id} on the site {site.key!r}.",
            hint="It may have been carried out; 'mosaic page schedules' shows what is to come.",
        )
    return row


async def due_by(session: AsyncSession, now: datetime) -> list[tuple[uuid.UUID, str]]:
    """What is due: id and actor of each, in the order of their instants, and of one instant in the
    order in which they were noted."""
    rows = await session.execute(
        select(Schedule.due, Schedule.id, Schedule.actor).where(
            Schedule.due <= now, Schedule.failure.is_(None)
        )
    )
    # Not every database orders ids as they are made.
    found = sorted((due, schedule_id, actor) for due, schedule_id, actor in rows)
    return [(schedule_id, actor) for _, schedule_id, actor in found]


async def next_due(session: AsyncSession) -> datetime | None:
    """The earliest instant at which something is due."""
    earliest: datetime | None = await session.scalar(
        select(func.min(Schedule.due)).where(Schedule.failure.is_(None))
    )
    return earliest


async def carry_out(
    write: Write, publisher: Publisher, schedule_id: uuid.UUID, now: datetime
) -> bool:
    """Does what is due and removes it, in one write; returns False when it is not due (any more).

    Raises:
        NotFound: the page is in the bin.
        InvalidInput: it cannot be published or unpublished; with every problem.
    """
    row = await write.session.get(Schedule, schedule_id)
    if row is None or row.failure is not None or row.due > now:
        return False
    site = await write.session.get_one(Site, row.site_id)
    await write.session.delete(row)
    await write.session.flush()
    if row.release_id is not None:
        release = await write.session.get_one(Release, row.release_id)
        await publish_release(write, publisher, site, release)
        return True
    page = await write.session.get_one(Page, row.page_id)
    if page.binned_at is not None:
        raise NotFound(
            f"The page {page.binned_path!r} is in the bin.", hint="Take it out, then publish it."
        )
    if row.action == "publish":
        await publisher.publish(write, site, page)
    elif page.live_version_id is not None:
        await publisher.unpublish(write, site, page)
    return True


async def note_failure(write: Write, schedule_id: uuid.UUID, why: str) -> None:
    """Keeps why something could not be done, for an editor to decide what becomes of it."""
    row = await write.session.get(Schedule, schedule_id)
    if row is not None:
        row.failure = why[:2000]
