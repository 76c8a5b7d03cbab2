"""A library in parts, by name: where a part begins, and which of its rows are looked for where the
database does not compare them."""

from __future__ import annotations

import uuid
from contextlib import suppress

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Media, Site
from mosaic_cms.content.published import ContentReference
from mosaic_core.errors import InvalidInput

#: Rows that are read at once where not all of them are looked for.
_ROWS = 200


async def place_of(session: AsyncSession, site: Site, reference: str) -> tuple[str, uuid.UUID]:
    """The name and the id of a file after which a list goes on, also of one that is in the bin by
    now.

    Raises:
        InvalidInput: there is no such file (any more).
    """
    with suppress(ValueError):
        media_id = uuid.UUID(reference.removeprefix("media:"))
        name = await session.scalar(
            select(Media.name).where(Media.id == media_id, Media.site_id == site.id)
        )
        if name is not None:
            return name, media_id
    raise InvalidInput(
        f"There is no file {reference[:80]!r} after which the list could go on.",
        hint="Begin without one.",
    )


def behind(name: str, media_id: uuid.UUID) -> ColumnElement[bool]:
    """What stands after a file in a list."""
    return or_(Media.name > name, and_(Media.name == name, Media.id > media_id))


async def rows_of(
    session: AsyncSession,
    query: Select[Media],
    *,
    limit: int | None,
    tag: str | None,
    unused: bool,
) -> list[Media]:
    """The first rows of a query, of those that have the tag and that nothing names, where that is
    asked for; no more are read than that takes."""
    if tag is None and not unused:
        return list(await session.scalars(query.limit(limit)))
    looked_for, used = None if tag is None else tag.casefold(), set[str]()
    if looked_for is not None:  # a tag is among the words
        query = query.where(Media.words.contains(looked_for, autoescape=True))
    if unused:
        used = set(await session.scalars(select(ContentReference.target).distinct()))
    found: list[Media] = []
    read = await session.stream_scalars(query.execution_options(yield_per=_ROWS))
    async for row in read:
        has_tag = looked_for is None or looked_for in {one.casefold() for one in row.tags}
        if has_tag and f"media:{row.id}" not in used:
            found.append(row)
            if len(found) == limit:
                break
    await read.close()
    return found
