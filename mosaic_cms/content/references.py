"""What content points to: ``page:<id>``, ``media:<id>``, ``shared:<id>``, and their addresses."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Media
from mosaic_cms.pictures.picture import RENDERED, ROOM, Original, Picture
from mosaic_core.types import canonical_json

T = TypeVar("T")
MEDIA_PREFIX = "/-/media/"
#: Characters of a hex digest that stand in an address.
DIGEST_LENGTH = 24
_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: A reference to something of the same site, wherever it stands in a text.
REFERENCE = re.compile(rf"\b(page|media|shared):({_ID})")
#: A text is searched for its end: what begins with one sign is found thirty times sooner.
_END = re.compile(f":({_ID})")
_KIND = re.compile(r"\b(page|media|shared)$")

_CHUNK = 500


class Targets:
    """Resolves what a text points to, from what was looked up before.

    ``room`` is how wide its pictures are at most, in CSS pixels.
    """

    def __init__(self, pages: dict[str, str], media: dict[str, Media], *, room: int = ROOM) -> None:
        self._pages = pages
        self._media = media
        self._room = room

    def link(self, target: str) -> str | None:
        kind, _, rest = target.partition(":")
        key, mark, fragment = rest.partition("#")
        if kind == "page":
            path = self._pages.get(key)
            return None if path is None else f"{path}{mark}{fragment}"
        if kind == "media":
            media = self._media.get(key)
            return None if media is None else media_url(media.digest, media.name)
        return target

    def picture(self, target: str) -> Picture | None:
        kind, _, key = target.partition(":")
        if kind != "media":
            return Picture(target, None, None)
        media = self._media.get(key)
        return None if media is None else picture_of(media, alt=media.alt, room=self._room)


NOTHING = Targets({}, {})


def media_url(digest: str, name: str) -> str:
    """The address of a stored file: its content's digest is in it, so it can be kept for ever."""
    return f"{MEDIA_PREFIX}{digest[:DIGEST_LENGTH]}/{name}"


def picture_of(media: Media, *, alt: str = "", room: int = ROOM) -> Picture:
    """A stored file as pages show it: with renditions, where it is of a kind that has them."""
    original = None
    if media.content_type in RENDERED and media.width and media.height:
        x, y = media.focal_x, media.focal_y
        focal = (50, 50) if x is None or y is None else (x, y)
        original = Original(media.id, focal)
    url = media_url(media.digest, media.name)
    return Picture(url, media.width, media.height, alt, room, original)


def references_in(text: str) -> set[tuple[str, str]]:
    """All that a text refers to: kinds and ids."""
    found: set[tuple[str, str]] = set()
    for end in _END.finditer(text):
        kind = _KIND.search(text, max(end.start() - 7, 0), end.start())
        if kind is not None:
            found.add((kind[1], end[1]))
    return found


def in_chunks(values: Collection[T]) -> Iterator[list[T]]:
    """Values for one ``IN`` after the other: databases take only so many at a time."""
    every = list(values)
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]


def page_ids(references: Iterable[str]) -> list[uuid.UUID]:
    """The ids of those references that name pages."""
    return _ids("page", references)


def _ids(kind: str, references: Iterable[str]) -> list[uuid.UUID]:
    return [
        uuid.UUID(found.group(2))
        for reference in references
        if (found := REFERENCE.fullmatch(reference)) and found.group(1) == kind
    ]


async def described_in(session: AsyncSession, content: Any) -> set[str]:
    """The pictures that a JSON value names and of which the library says what they show."""
    found = references_in(canonical_json(content)) if content else ()
    media = await find_media(session, [f"media:{key}" for kind, key in found if kind == "media"])
    return {f"media:{key}" for key, row in media.items() if row.alt}


async def find_media(session: AsyncSession, references: Sequence[str]) -> dict[str, Media]:
    """The files that references name, by id; none that is in the bin."""
    ids = _ids("media", references)
    if not ids:
        return {}
    rows = await session.scalars(select(Media).where(Media.id.in_(ids), Media.binned_at.is_(None)))
    return {str(row.id): row for row in rows}
