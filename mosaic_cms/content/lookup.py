"""What the blocks of a page show of others: looked up before they are rendered.

Everything comes from what is placed, so no draft can be in it; and what was looked for becomes the
page's dependencies, so that it is rendered again when one of them changes.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.base import Listing
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.stored import Stored, blocks_in
from mosaic_cms.content.items import Item, listed
from mosaic_cms.content.models import SharedBlock
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.content.references import Targets, find_media, references_in
from mosaic_cms.content.sharing import MOST_SHOWN, shown_blocks
from mosaic_cms.content.slugs import slugify
from mosaic_cms.pictures.picture import ROOM
from mosaic_core.errors import InvalidInput
from mosaic_core.types import canonical_json

_log = logging.getLogger("mosaic.content")
#: Shared blocks may show others; more levels than these are not followed.
_LEVELS = 5


@dataclass(slots=True)
class Lookup:
    """What was found.

    Attributes:
        size: characters of all the content that is to be rendered.
        references: all that it names, as ``page:<id>`` and the like.
        dependencies: as :class:`~mosaic_cms.content.published.PublishedDependency` names them.
    """

    targets: Targets
    size: int = 0
    references: list[str] = field(default_factory=list)
    lists: dict[str, list[Item]] = field(default_factory=dict)
    shared: dict[str, list[Stored]] = field(default_factory=dict)
    dependencies: set[str] = field(default_factory=set)


async def look_up(
    session: AsyncSession,
    types: BlockTypes,
    row: PublishedPage,
    regions: dict[str, Any],
    *,
    room: int = ROOM,
) -> Lookup:
    """Finds what the blocks of a placed page refer to; ``room`` is how wide pictures are in it."""
    text = canonical_json(regions)
    found = Lookup(Targets({}, {}), size=len(text))
    references = references_in(text)
    wanted = _shared(references)
    for _ in range(_LEVELS):
        missing = wanted - found.shared.keys()
        if not missing:
            break
        for key, blocks in (await _live(session, missing)).items():
            more = canonical_json(blocks)
            found.shared[key] = blocks
            found.size += len(more)
            references |= references_in(more)
        found.shared |= {key: [] for key in missing - found.shared.keys()}
        wanted = _shared(references)
    if shown_blocks(regions, found.shared) > MOST_SHOWN:
        _log.warning("%s: its shared blocks are left out: they show too many blocks", row.path)
        found.shared = {}
    found.references = sorted(f"{kind}:{key}" for kind, key in references)
    pages = {key for kind, key in references if kind == "page"}
    media = [f"media:{key}" for kind, key in references if kind == "media"]
    paths, files = await _paths(session, row, pages), await find_media(session, media)
    found.targets = Targets(paths, files, room=room)
    found.dependencies = {f"page:{key}" for key in pages if key != str(row.page_id)}
    found.dependencies |= {f"shared:{key}" for key in wanted}
    for stored in blocks_in([regions, *found.shared.values()]):
        listing = _listing(types, stored)
        if listing is not None:
            found.lists[stored["id"]] = await listed(session, row, listing)
            found.dependencies.add(_listed_target(row, listing))
    return found


def _shared(references: set[tuple[str, str]]) -> set[str]:
    return {key for kind, key in references if kind == "shared"}


def _listing(types: BlockTypes, stored: Stored) -> Listing | None:
    kind = types.get(stored["type"])
    if kind is None or not kind.lists:
        return None
    try:
        return types.read(stored).listing()
    except InvalidInput:
        return None


def _listed_target(row: PublishedPage, listing: Listing) -> str:
    if listing.tag is not None:
        return f"tag:{row.site_id}:{slugify(listing.tag)}"
    below = row.page_id if listing.below is None else listing.below.removeprefix("page:")
    return f"below:{below}"


async def _live(session: AsyncSession, keys: set[str]) -> dict[str, list[Stored]]:
    ids = [uuid.UUID(key) for key in keys]
    rows = await session.execute(
        select(SharedBlock.id, SharedBlock.live).where(
            SharedBlock.id.in_(ids), SharedBlock.live.is_not(None)
        )
    )
    return {str(key): live or [] for key, live in rows}


async def _paths(session: AsyncSession, row: PublishedPage, keys: set[str]) -> dict[str, str]:
    paths = {str(row.page_id): row.path}
    ids = [uuid.UUID(key) for key in keys if key not in paths]
    if ids:
        placed = select(PublishedPage.page_id, PublishedPage.path).where(
            PublishedPage.page_id.in_(ids), PublishedPage.site_id == row.site_id
        )
        paths |= {str(page_id): path for page_id, path in await session.execute(placed)}
    return paths
