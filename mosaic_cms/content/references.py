"""What a text points to: ``page:<id>`` and ``media:<id>``, and the addresses that they have."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.markup import Picture
from mosaic_cms.content.models import Media, PublishedPage

MEDIA_PREFIX = "/-/media/"
_REFERENCE = re.compile(r"(page|media):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class Targets:
    """Resolves what a text points to, from what was looked up before."""

    def __init__(self, pages: dict[str, str], media: dict[str, Media]) -> None:
        self._pages = pages
        self._media = media

    def link(self, target: str) -> str | None:
        kind, _, rest = target.partition(":")
        key, mark, fragment = rest.partition("#")
        if kind == "page":
            path = self._pages.get(key)
            return None if path is None else f"{path}{mark}{fragment}"
        if kind == "media":
            return media_url(self._media[key]) if key in self._media else None
        return target

    def picture(self, target: str) -> Picture | None:
        kind, _, key = target.partition(":")
        if kind != "media":
            return Picture(target, None, None)
        media = self._media.get(key)
        return None if media is None else Picture(media_url(media), media.width, media.height)


NOTHING = Targets({}, {})


def media_url(media: Media) -> str:
    """The address of a stored file: its content's digest is in it, so it can be kept for ever."""
    return f"{MEDIA_PREFIX}{media.digest[:24]}/{media.name}"


async def targets_of(
    session: AsyncSession, body: str, row: PublishedPage
) -> tuple[Targets, frozenset[uuid.UUID]]:
    """Resolves what the body of a placed page points to; and which pages that are."""
    found = _REFERENCE.findall(body)
    ids = {uuid.UUID(key) for kind, key in found if kind == "page"}
    pages = {str(row.page_id): row.path}
    if ids - {row.page_id}:
        placed = select(PublishedPage.page_id, PublishedPage.path).where(
            PublishedPage.page_id.in_(ids)
        )
        pages |= {str(page_id): path for page_id, path in await session.execute(placed)}
    media = await find_media(session, [f"media:{key}" for kind, key in found if kind == "media"])
    return Targets(pages, media), frozenset(ids)


async def find_media(session: AsyncSession, references: Sequence[str]) -> dict[str, Media]:
    """The files that references name, by id."""
    ids = [
        uuid.UUID(found.group(2))
        for reference in references
        if (found := _REFERENCE.fullmatch(reference)) and found.group(1) == "media"
    ]
    if not ids:
        return {}
    rows = await session.scalars(select(Media).where(Media.id.in_(ids)))
    return {str(row.id): row for row in rows}
