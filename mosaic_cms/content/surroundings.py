"""What stands around placed pages: their trails, what is right below, and their translations.

Asked for many pages at once, since a job renders many: one question, however many they are.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from sqlalchemy import Row, bindparam, literal_column, select, union_all
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

_PLACE = (PublishedPage.parent_id, PublishedPage.translation_id, PublishedPage.language)
_TRAIL, _BELOW, _SAYING = "trail", "below", "saying"
_WHERE = {
    _TRAIL: (
        PublishedPage.site_id == bindparam("site"),
        PublishedPage.language == bindparam("language"),
        PublishedPage.path.in_(bindparam("paths", expanding=True)),
    ),
    _BELOW: (PublishedPage.parent_id.in_(bindparam("pages", expanding=True)),),
    _SAYING: (PublishedPage.translation_id.in_(bindparam("translations", expanding=True)),),
}
#: One question for all three: each part has an index of its own.
_AROUND = union_all(
    *(
        select(
            literal_column(f"'{kind}'").label("kind"), PublishedPage.position, *_PLACE, *COLUMNS
        ).where(*where)
        for kind, where in _WHERE.items()
    )
)
#: Pages right below one that it shows; those after them are on further pages of the list.
MOST_BELOW = 50
#: What stands for no value at all: SQL Server takes an empty list for one of numbers.
_NONE: dict[str, list[Any]] = {
    "paths": [""],
    "pages": [uuid.UUID(int=0)],
    "translations": [uuid.UUID(int=0)],
}


@dataclass(slots=True)
class Surroundings:
    """What a page shows of those around it.

    Attributes:
        trail: the published ancestors, the home page first.
        children: right below: in their order, or the newest first where any has a date; the first
            of them where they are many.
        pages: how many pages the list of all of those takes.
        translations: language and path of those that say the same, by language.
        previous: of a post, the one before it in time.
        following: of a post, the one after it.
    """

    trail: list[Item] = field(default_factory=list)
    children: list[Item] = field(default_factory=list)
    pages: int = 1
    translations: list[tuple[str, str]] = field(default_factory=list)
    previous: Item | None = None
    following: Item | None = None


async def surroundings(
    session: AsyncSession, rows: Sequence[PublishedPage]
) -> dict[uuid.UUID, Surroundings]:
    """What stands around each of some placed pages, by its id."""
    trees: defaultdict[tuple[uuid.UUID, str], list[PublishedPage]] = defaultdict(list)
    for row in rows:
        trees[row.site_id, row.language].append(row)
    found: dict[uuid.UUID, Surroundings] = {}
    for (site_id, language), tree in trees.items():
        around = await _around(session, site_id, language, tree)
        found |= {row.page_id: _surroundings(row, around) for row in tree}
    for row in rows:
        if row.layout == DATED:
            beside = found[row.page_id]
            beside.previous, beside.following = await neighbours(session, row)
    return found


@dataclass(slots=True)
class _Around:
    """What was found around some pages of a site, in one language."""

    placed: dict[str, Item] = field(default_factory=dict)
    below: defaultdict[uuid.UUID, list[Row[Any]]] = field(default_factory=lambda: defaultdict(list))
    saying: defaultdict[uuid.UUID, list[Row[Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )


async def _around(
    session: AsyncSession, site_id: uuid.UUID, language: str, rows: Sequence[PublishedPage]
) -> _Around:
    around = _Around()
    paths = in_chunks({path for row in rows for path in _above(row.path)})
    pages = in_chunks({row.page_id for row in rows})
    translations = in_chunks({row.translation_id for row in rows})
    for some in zip_longest(paths, pages, translations):
        parts = zip(_NONE.items(), some, strict=True)
        asked = {name: values or none for (name, none), values in parts}
        for row in await session.execute(_AROUND, {"site": site_id, "language": language, **asked}):
            if row.kind == _TRAIL:
                around.placed[row.path] = item_of(row)
            elif row.kind == _BELOW:
                around.below[row.parent_id].append(row)
            else:
                around.saying[row.translation_id].append(row)
    return around


def _surroundings(row: PublishedPage, around: _Around) -> Surroundings:
    below = sorted(around.below[row.page_id], key=lambda child: (child.position, child.path))
    children = [item_of(child) for child in below]
    if any(child.date for child in children):
        children.sort(key=newest_first)
    saying = [one for one in around.saying[row.translation_id] if one.page_id != row.page_id]
    return Surroundings(
        trail=[around.placed[path] for path in _above(row.path) if path in around.placed],
        children=children[:MOST_BELOW],
        pages=-(-len(children) // MOST_BELOW) or 1,
        translations=sorted((one.language, one.path) for one in saying),
    )


def _above(path: str) -> list[str]:
    """The addresses above one, from the first on: of ``/a/b/``, ``/`` and ``/a/``."""
    if path == "/":
        return []
    segments = path.strip("/").split("/")
    return ["/"] + ["/" + "/".join(segments[:n]) + "/" for n in range(1, len(segments))]
