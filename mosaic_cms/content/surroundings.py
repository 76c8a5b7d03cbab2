"""What stands around placed pages: their trails, what is right below, and their translations.

Asked for many pages at once, since a job renders many: three questions, however many they are.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.items import (
    COLUMNS,
    DATED,
    Item,
    item_of,
    neighbours,
    newest_first,
)
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.content.references import in_chunks

_PLACED_AT = select(*COLUMNS).where(
    PublishedPage.site_id == bindparam("site"),
    PublishedPage.language == bindparam("language"),
    PublishedPage.path.in_(bindparam("paths", expanding=True)),
)
_BELOW = (
    select(PublishedPage.parent_id, *COLUMNS)
    .where(PublishedPage.parent_id.in_(bindparam("parents", expanding=True)))
    .order_by(PublishedPage.position, PublishedPage.path)
)
_SAYING = (
    select(
        PublishedPage.translation_id,
        PublishedPage.language,
        PublishedPage.path,
        PublishedPage.page_id,
    )
    .where(PublishedPage.translation_id.in_(bindparam("translations", expanding=True)))
    .order_by(PublishedPage.language)
)


@dataclass(slots=True)
class Surroundings:
    """What a page shows of those around it.

    Attributes:
        trail: the published ancestors, the home page first.
        children: right below: in their order, or the newest first where any has a date.
        translations: language and path of those that say the same, by language.
        previous: of a post, the one before it in time.
        following: of a post, the one after it.
    """

    trail: list[Item] = field(default_factory=list)
    children: list[Item] = field(default_factory=list)
    translations: list[tuple[str, str]] = field(default_factory=list)
    previous: Item | None = None
    following: Item | None = None


async def surroundings(
    session: AsyncSession, rows: Sequence[PublishedPage]
) -> dict[uuid.UUID, Surroundings]:
    """What stands around each of some placed pages, by its id."""
    found = {row.page_id: Surroundings() for row in rows}
    await _trails(session, rows, found)
    await _children(session, found)
    await _translations(session, rows, found)
    for row in rows:
        if row.layout == DATED:
            around = found[row.page_id]
            around.previous, around.following = await neighbours(session, row)
    return found


async def trail_of(session: AsyncSession, row: PublishedPage) -> Surroundings:
    """What stands around a page that is alone on its site, so far: its trail."""
    found = {row.page_id: Surroundings()}
    await _trails(session, [row], found)
    return found[row.page_id]


async def _trails(
    session: AsyncSession, rows: Sequence[PublishedPage], found: dict[uuid.UUID, Surroundings]
) -> None:
    trees: defaultdict[tuple[uuid.UUID, str], list[PublishedPage]] = defaultdict(list)
    for row in rows:
        if row.path != "/":
            trees[row.site_id, row.language].append(row)
    for (site_id, language), below in trees.items():
        items: dict[str, Item] = {}
        for paths in in_chunks({path for row in below for path in _above(row.path)}):
            asked = {"site": site_id, "language": language, "paths": paths}
            placed = await session.execute(_PLACED_AT, asked)
            items |= {item.url: item for item in map(item_of, placed)}
        for row in below:
            found[row.page_id].trail = [items[path] for path in _above(row.path) if path in items]


def _above(path: str) -> list[str]:
    """The addresses above one, from the first on: of ``/a/b/``, ``/`` and ``/a/``."""
    segments = path.strip("/").split("/")
    return ["/"] + ["/" + "/".join(segments[:n]) + "/" for n in range(1, len(segments))]


async def _children(session: AsyncSession, found: dict[uuid.UUID, Surroundings]) -> None:
    for ids in in_chunks(found):
        for row in await session.execute(_BELOW, {"parents": ids}):
            found[row.parent_id].children.append(item_of(row))
    for around in found.values():
        if any(child.date for child in around.children):
            around.children.sort(key=newest_first)


async def _translations(
    session: AsyncSession, rows: Sequence[PublishedPage], found: dict[uuid.UUID, Surroundings]
) -> None:
    said: defaultdict[uuid.UUID, list[tuple[str, str, uuid.UUID]]] = defaultdict(list)
    for ids in in_chunks({row.translation_id for row in rows}):
        others = await session.execute(_SAYING, {"translations": ids})
        for translation_id, language, path, page_id in others:
            said[translation_id].append((language, path, page_id))
    for row in rows:
        found[row.page_id].translations = [
            (language, path)
            for language, path, page_id in said[row.translation_id]
            if page_id != row.page_id
        ]
