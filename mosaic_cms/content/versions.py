"""Versions: a page's content as it was when it was published, or when an editor named it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.drafts import content_of
from mosaic_cms.content.lines import is_line
from mosaic_cms.content.models import Page, PageVersion
from mosaic_cms.content.outline import PageContent
from mosaic_cms.content.tree import set_content
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: What a version keeps of a draft.
CONTENT = ("layout", "title", "summary", "regions", "details")
MAX_NAME = 200


def is_draft(page: Page, version: PageVersion | None) -> bool:
    """Whether a version is what the draft is."""
    return version is not None and all(
        getattr(version, name) == getattr(page, name) for name in CONTENT
    )


async def newest_version(session: AsyncSession, page: Page) -> PageVersion | None:
    """The version made last."""
    return await _numbered(session, page, page.version_count) if page.version_count else None


async def find_version(session: AsyncSession, page: Page, number: int) -> PageVersion:
    """A page's version.

    Raises:
        NotFound: there is none of this number.
    """
    version = await _numbered(session, page, number)
    if version is None:
        raise NotFound(
            f"The page {page.path!r} has no version {number}.",
            hint=f"It has {page.version_count}; 'mosaic page versions' shows them.",
        )
    return version


async def version_of_draft(
    write: Write, page: Page, *, live: PageVersion | None = None
) -> PageVersion:
    """The draft as a version: the newest one when it is that, else a new one. The newest is not
    looked for where the ``live`` one is it."""
    newest = live
    if live is None or live.number != page.version_count:
        newest = await newest_version(write.session, page)
    if newest is not None and is_draft(page, newest):
        return newest
    page.version_count += 1
    version = PageVersion(
        id=new_id(),
        page_id=page.id,
        number=page.version_count,
        at=write.at,
        actor=write.info.actor,
        name=None,
        **{name: getattr(page, name) for name in CONTENT},
    )
    write.session.add(version)
    return version


async def name_version(write: Write, page: Page, name: str, number: int | None) -> PageVersion:
    """Names a version; without a number the draft, which becomes one.

    Raises:
        NotFound: there is no such version.
        InvalidInput: the name does not fit.
    """
    if len(name) > MAX_NAME or not is_line(name):
        raise InvalidInput(
            f"{name[:80]!r} is no name of a version.",
            hint=f"Use 1 to {MAX_NAME} characters on one line.",
        )
    if number is not None:
        version = await find_version(write.session, page, number)
    else:
        version = await version_of_draft(write, page)
    version.name = name.strip()
    return version


async def restore_version(write: Write, page: Page, number: int) -> PageVersion:
    """Makes a version the draft again. A draft that is no version yet becomes one first.

    Returns:
        The version that holds what the draft was.

    Raises:
        NotFound: there is no such version.
    """
    version = await find_version(write.session, page, number)
    if is_draft(page, version):
        return version
    kept = None
    if page.live_version_id is not None:
        kept = await write.session.get(PageVersion, page.live_version_id)
    if not is_draft(page, kept):
        kept = await version_of_draft(write, page)
    assert kept is not None
    set_content(write, page, **{name: getattr(version, name) for name in CONTENT})
    return kept


async def content_at(session: AsyncSession, page: Page, which: str | int) -> PageContent:
    """A page's content: ``draft``, ``live`` or that of a version.

    Raises:
        NotFound: there is no such version, or nothing is live.
    """
    if which == "draft":
        return content_of(page)
    if which == "live":
        if page.live_version_id is None:
            raise NotFound(f"The page {page.path!r} is not published.")
        return content_of(await session.get_one(PageVersion, page.live_version_id))
    return content_of(await find_version(session, page, int(which)))


async def _numbered(session: AsyncSession, page: Page, number: int) -> PageVersion | None:
    found: PageVersion | None = await session.scalar(
        select(PageVersion).where(PageVersion.page_id == page.id, PageVersion.number == number)
    )
    return found
