"""Releases: pages that are published or unpublished together, or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Page, Release, Schedule, Site
from mosaic_cms.content.publishing import Publisher, published_below
from mosaic_cms.content.tree import UnknownSite
from mosaic_core.errors import Conflict, InvalidInput, NotFound
from mosaic_core.head import Write

#: Pages of a release, at most: they are rendered in one write.
MOST_PAGES = 200


async def find_release(session: AsyncSession, site: Site, release_id: uuid.UUID) -> Release:
    """The release with this id.

    Raises:
        NotFound: there is none.
        UnknownSite: it is on another site.
    """
    release = await session.get(Release, release_id)
    if release is not None and release.site_id != site.id:
        raise UnknownSite(
            f"The release {release_id} is not on the site {site.key!r}.",
            hint="Name the site that it is on.",
        )
    if release is None:
        raise NotFound(
            f"There is no release {release_id}.",
            hint="'mosaic release list' shows those there are.",
        )
    return release


def require_open(release: Release) -> None:
    """Raises Conflict when a release was published."""
    if release.released_at is not None:
        raise Conflict(
            f"The release {release.title!r} was published at "
            f"{release.released_at:%Y-%m-%d %H:%M} UTC.",
            hint="Make another one.",
        )


def set_pages(release: Release, changes: dict[uuid.UUID, str | None]) -> None:
    """Says what happens to pages: ``publish``, ``unpublish``, or None for nothing.

    Raises:
        Conflict: it was published.
        InvalidInput: the pages are too many.
    """
    require_open(release)
    pages = dict(release.pages)
    for page_id, what in changes.items():
        if what is None:
            pages.pop(str(page_id), None)
        else:
            pages[str(page_id)] = what
    if len(pages) > MOST_PAGES:
        raise InvalidInput(
            f"A release of {len(pages)} pages is too large; {MOST_PAGES} fit.",
            hint="Make two of it.",
        )
    release.pages = pages


async def pages_of(session: AsyncSession, release: Release) -> dict[uuid.UUID, Page]:
    """The pages of a release that are there, by id."""
    ids = [uuid.UUID(key) for key in release.pages]
    rows = await session.scalars(
        select(Page).where(Page.id.in_(ids), Page.binned_at.is_(None)).order_by(Page.path)
    )
    return {page.id: page for page in rows}


async def problems_of(
    session: AsyncSession, publisher: Publisher, release: Release
) -> list[tuple[str, str]]:
    """Everything that keeps a release from being published: the page with the place, and what."""
    there = await pages_of(session, release)
    leaving = {uuid.UUID(key) for key, what in release.pages.items() if what == "unpublish"}
    below = await published_below(session, [page for page in there.values() if page.id in leaving])
    problems: list[tuple[str, str]] = []
    for key in release.pages:
        if uuid.UUID(key) not in there:
            problems.append((f"page:{key}", "it is in the bin, or deleted; take it out of here"))
    for page in there.values():
        if page.id not in leaving:
            problems += _placed(page, await publisher.problems(session, page))
        elif below[page.id]:
            told = f"{below[page.id]} published pages below it would stay"
            problems.append((page.path, told))
    return problems


def _placed(page: Page, problems: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for where, what in problems:
        yield f"{page.path} {where}", what


async def publish_release(write: Write, publisher: Publisher, site: Site, release: Release) -> None:
    """Publishes and unpublishes its pages, all of them; its schedules go.

    Raises:
        Conflict: it was published already.
        InvalidInput: with every problem of every page; then nothing is changed.
    """
    require_open(release)
    problems = await problems_of(write.session, publisher, release)
    if not release.pages:
        problems = [("pages", "there are none")]
    if problems:
        told = "; ".join(f"{where}: {what}" for where, what in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise InvalidInput(
            f"The release {release.title!r} cannot be published: {told}{more}.",
            hint="None of its pages was changed. Mend what is named, then publish it.",
            problems=tuple(problems),
        )
    pages = (await pages_of(write.session, release)).values()
    going = {what: [p for p in pages if release.pages[str(p.id)] == what] for what in _BOTH}
    live = [page for page in going["unpublish"] if page.live_version_id is not None]
    await publisher.release(write, site, going["publish"], live)
    release.released_at = write.at
    await _unschedule(write, release)


async def delete_release(write: Write, release: Release) -> None:
    """Deletes a release with what was to happen to it; its pages stay as they are, live or not."""
    await _unschedule(write, release)
    await write.session.flush()  # they point to it
    await write.session.delete(release)


async def _unschedule(write: Write, release: Release) -> None:
    wanted = select(Schedule).where(Schedule.release_id == release.id)
    for row in await write.session.scalars(wanted):
        await write.session.delete(row)


_BOTH = ("publish", "unpublish")
