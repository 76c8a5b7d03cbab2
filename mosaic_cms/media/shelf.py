"""The rows of a library, inside a write: new files, other contents, the bin, and what goes for
good.

The objects of what goes are removed after the commit, by a message in the outbox: so none is
removed that is still in a row, and none is left behind by a process that was killed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.erasing import delete_for_good
from mosaic_cms.content.models import Media, MediaUpload, MediaVersion, Page, Site
from mosaic_cms.content.published import ContentReference
from mosaic_cms.content.references import in_chunks
from mosaic_core.errors import NotFound
from mosaic_core.head import TENANT, Write
from mosaic_core.head.outbox import enqueue

if TYPE_CHECKING:
    from mosaic_cms.content.publishing import Publisher

#: The topic of messages that name objects to remove.
REMOVE = "media.remove"
#: How long a file stays in the bin.
BIN = timedelta(days=30)
#: What a content is: these change when a file gets another one.
CONTENT = ("key", "name", "content_type", "size", "digest", "given", "width", "height")
#: Keys in one message.
_BATCH = 100


async def find(session: AsyncSession, site: Site, reference: str, *, binned: bool = False) -> Media:
    """A file of a site, by ``media:<id>`` or its id alone.

    Args:
        binned: it is looked for in the bin, and there only.

    Raises:
        NotFound: the site has no such file.
    """
    try:
        row = await session.get(Media, uuid.UUID(reference.removeprefix("media:")))
    except ValueError:
        row = None
    if row is None or row.site_id != site.id or (row.binned_at is not None) != binned:
        where = "in its bin" if binned else "in its library"
        raise NotFound(
            f"The site {site.key!r} has no file {reference[:80]!r} {where}.",
            hint=f"'mosaic media {'bin' if binned else 'list'}' shows those there are.",
        )
    return row


def add(write: Write, site: Site, media_id: uuid.UUID, **facts: Any) -> Media:
    """Puts a new file into the library."""
    whole = {"folder": "", "tags": [], "alt": "", "caption": "", "credit": "", **facts}
    row = Media(
        id=media_id,
        site_id=site.id,
        version=1,
        created_at=write.at,
        updated_at=write.at,
        words="",
        **whole,
    )
    row.words = words_of(row)
    write.session.add(row)
    return row


def replace(write: Write, row: Media, facts: dict[str, Any]) -> None:
    """Gives a file another content; the one before becomes a version of it."""
    before = {name: getattr(row, name) for name in CONTENT}
    write.session.add(
        MediaVersion(
            media_id=row.id, number=row.version, at=write.at, actor=write.info.actor, **before
        )
    )
    for name in CONTENT:
        setattr(row, name, facts[name])
    row.focal_x = row.focal_y = None  # it was that of another picture
    row.version += 1
    row.updated_at = write.at
    row.words = words_of(row)


async def versions_of(session: AsyncSession, row: Media) -> list[MediaVersion]:
    """The contents that a file had before, the newest first."""
    query = select(MediaVersion).where(MediaVersion.media_id == row.id)
    return list(await session.scalars(query.order_by(MediaVersion.number.desc())))


async def forget_versions(write: Write, row: Media, *numbers: int) -> int:
    """Deletes contents that a file had before, all of them without numbers; returns how many."""
    gone = [v for v in await versions_of(write.session, row) if not numbers or v.number in numbers]
    await delete_for_good(write, gone)
    await write.session.flush()
    await remove_later(write, {version.key for version in gone})
    return len(gone)


async def purge(write: Write, rows: Sequence[Media]) -> None:
    """Deletes files for good, with their versions."""
    keys = {row.key for row in rows}
    for row in rows:
        versions = await versions_of(write.session, row)
        keys |= {version.key for version in versions}
        await delete_for_good(write, versions)
    await write.session.flush()  # they point to their file
    await delete_for_good(write, rows)
    await write.session.flush()
    await remove_later(write, keys)


async def remove_later(write: Write, keys: Iterable[str]) -> None:
    """Has objects removed after the commit, those that no row has any more."""
    gone = sorted(set(keys) - await keys_in_rows(write.session, set(keys)))
    for start in range(0, len(gone), _BATCH):
        await enqueue(write, TENANT, REMOVE, {"keys": gone[start : start + _BATCH]})


async def keys_in_rows(session: AsyncSession, among: set[str] | None = None) -> set[str]:
    """The keys of objects that something is known of; of some, or of all."""
    found: set[str] = set()
    tables: tuple[Any, ...] = (Media, MediaVersion, MediaUpload)
    for table in tables:
        if among is None:
            found |= set(await session.scalars(select(table.key)))
            continue
        for some in in_chunks(among):
            found |= set(await session.scalars(select(table.key).where(table.key.in_(some))))
    return found


async def show_again(write: Write, publisher: Publisher, site: Site, *rows: Media) -> None:
    """Has the pages rendered again that show files, directly or in shared blocks."""
    await write.session.flush()
    wanted = {f"media:{row.id}" for row in rows}
    seen: set[str] = set()
    pages: set[uuid.UUID] = set()
    while wanted - seen:
        some, seen = wanted - seen, seen | wanted
        for chunk in in_chunks(some):
            query = select(ContentReference.source).where(ContentReference.target.in_(chunk))
            for source in await write.session.scalars(query):
                kind, _, key = source.partition(":")
                if kind == "page":
                    pages.add(uuid.UUID(key))
                elif kind == "shared":
                    wanted.add(source)
    found: list[Page] = []
    for ids in in_chunks(pages):
        live = select(Page).where(Page.id.in_(ids), Page.live_version_id.is_not(None))
        found += await write.session.scalars(live)
    await publisher.refresh_pages(write, site, found)


def words_of(row: Media) -> str:
    """All that is said of a file, as it is searched."""
    texts = (row.name, *row.tags, row.alt, row.caption, row.credit, row.folder)
    return "\n".join(filter(None, texts)).casefold()
