"""Shared blocks: their drafts, and which show which, and how much that is in all."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.stored import MAX_BLOCKS, Stored, blocks_in, regions_of
from mosaic_cms.content.drafts import SHARED, content_of, step_back
from mosaic_cms.content.models import SharedBlock
from mosaic_cms.content.outline import same
from mosaic_cms.content.references import references_in
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write
from mosaic_core.types import canonical_json

#: Blocks that a page may show, those of shared ones counted wherever they are shown.
MOST_SHOWN = 5_000


def shared_in(value: Any) -> set[str]:
    """The ids of the shared blocks that a JSON value names."""
    found = references_in(canonical_json(value))
    return {key for kind, key in found if kind == "shared"}


def shown_blocks(
    regions: Any, shared: Mapping[str, Sequence[Stored]], known: dict[str, int] | None = None
) -> int:
    """How many blocks are shown in all: a few shared ones, each showing another many times, make
    more than any page can hold."""
    known = {} if known is None else known
    count = 0
    for stored in blocks_in(regions):
        count += 1
        if stored["type"] != "shared":
            continue
        key = str(stored["data"].get("reference", "")).removeprefix("shared:")
        if key not in known:
            known[key] = 0  # so that one inside itself counts once
            known[key] = shown_blocks(list(shared.get(key, ())), shared, known)
        count += known[key]
    return count


def set_shared(write: Write, block: SharedBlock, content: dict[str, Any]) -> bool:
    """Gives a draft the ``title`` (its name) and the ``regions`` of a content (see
    :func:`content_of`); returns whether anything became different.

    Raises:
        InvalidInput: that is more than fits; it names the place.
    """
    content = {name: value for name, value in content.items() if name in ("title", "regions")}
    if "regions" in content:
        content["regions"] = regions_of(content["regions"])
    now = content_of(block)
    different = {
        name: value for name, value in content.items() if not same(getattr(now, name), value)
    }
    if not different:
        return False
    write.session.add(step_back(block, different))
    block.name = different.get("title", block.name)
    if "regions" in different:
        block.blocks = different["regions"][SHARED]
    block.revision += 1
    block.updated_at = write.at
    return True


async def require_no_ring(session: AsyncSession, block: SharedBlock) -> None:
    """Refuses a draft that would show itself once it is live, or far too much.

    Raises:
        InvalidInput: naming the way round.
    """
    live: dict[str, list[Stored]] = {}
    names = {str(block.id): block.name}
    wanted = shared_in(block.blocks)
    while missing := wanted - names.keys():
        for key, name, blocks in await _live(session, missing):
            names[key], live[key] = name, blocks
            wanted |= shared_in(blocks)
        names |= dict.fromkeys(missing - names.keys(), "one that is gone")
    live[str(block.id)] = block.blocks
    ring = _way_back(str(block.id), {key: shared_in(blocks) for key, blocks in live.items()})
    if ring:
        way = " → ".join(repr(names[key]) for key in ring)
        raise InvalidInput(
            f"The shared block {block.name!r} would show itself: {way}.",
            hint="Take it out of one of them, publish that one, then publish this one.",
        )
    if shown_blocks(block.blocks, live) > MAX_BLOCKS:
        raise InvalidInput(
            f"The shared block {block.name!r} shows more than {MAX_BLOCKS:,} blocks, those of "
            f"other shared ones included.",
            hint="Show fewer in it.",
        )


def _way_back(start: str, shows: Mapping[str, Iterable[str]]) -> list[str]:
    """The shortest way from a shared block to itself, both ends included; empty if none."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for key in sorted(shows.get(way[-1], ())):
            if key == start:
                return [*way, key]
            if key not in seen:
                seen.add(key)
                ways.append([*way, key])
    return []


async def _live(session: AsyncSession, keys: Iterable[str]) -> list[tuple[str, str, list[Stored]]]:
    rows = await session.execute(
        select(SharedBlock.id, SharedBlock.name, SharedBlock.live).where(
            SharedBlock.id.in_([uuid.UUID(key) for key in keys])
        )
    )
    return [(str(key), name, live or []) for key, name, live in rows]
