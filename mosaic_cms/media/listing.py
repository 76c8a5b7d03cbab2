"""A library in parts, by name: where a part begins, and which of its rows are looked for where the
database does not compare them."""

from __future__ import annotations

import uuid
from contextlib import suppress

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Media, Site
from mosaic_cms.content.published import ContentReference
from mosaic_core.errors import InvalidInput


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


async def left(
    session: AsyncSession, rows: list[Media], *, tag: str | None, unused: bool
) -> list[Media]:
    """Those of some rows that have the tag, and that nothing names, where that is asked for."""
    if tag is not None:
        looked_for = tag.casefold()
        rows = [row for row in rows if looked_for in {one.casefold() for one in row.tags}]
    if unused:
        target = ContentReference.target
        named = target.in_([f"media:{row.id}" for row in rows])
        used = set(await session.scalars(select(target).where(named).distinct()))
        rows = [row for row in rows if f"media:{row.id}" not in used]
    return rows
