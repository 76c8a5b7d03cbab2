"""Bringing what is stored forward to the block types' present versions.

Old blocks are brought forward whenever they are read, so nothing waits for this. It saves doing so
again and again, and names what cannot be brought forward before a visitor's page does.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.stored import Stored, blocks_in
from mosaic_cms.content.drafts import SHARED
from mosaic_cms.content.models import Page, PageVersion, SharedBlock
from mosaic_cms.content.sharing import set_shared
from mosaic_cms.content.tree import set_content
from mosaic_cms.content.versions import is_draft, version_of_draft
from mosaic_core.head import Write

#: What has blocks that people edit, and where.
KINDS: tuple[tuple[Any, Any], ...] = ((Page, Page.regions), (SharedBlock, SharedBlock.blocks))


async def outdated(
    session: AsyncSession, types: BlockTypes, kind: Any, after: uuid.UUID | None, most: int
) -> tuple[list[uuid.UUID], list[tuple[str, Stored]], uuid.UUID | None]:
    """Which of the next rows have older blocks, the blocks that cannot be brought forward, each
    with whose it is, and the last row; None when there are no more."""
    content = dict(KINDS)[kind]
    named = Page.known_path if kind is Page else SharedBlock.name
    query = select(kind.id, named, content).order_by(kind.id).limit(most)
    rows = list(await session.execute(query if after is None else query.where(kind.id > after)))
    old: list[uuid.UUID] = []
    left: list[tuple[str, Stored]] = []
    for row_id, name, value in rows:
        forward = _forward(types, value)
        if forward != value:
            old.append(row_id)
        left += [(name, block) for block in _stuck(types, forward)]
    return old, left, rows[-1][0] if rows else None


async def upgrade(write: Write, types: BlockTypes, kind: Any, ids: Sequence[uuid.UUID]) -> int:
    """Brings the blocks of some rows forward; how many rows these were.

    A page stays as published as it was: where its draft is what visitors see, that becomes a new
    version, and the one before stays as it is.

    Raises:
        InvalidInput: a page has more in it then than fits.
    """
    done = 0
    for row in await write.session.scalars(select(kind).where(kind.id.in_(ids))):
        if isinstance(row, Page):
            done += await _upgrade_page(write, types, row)
        elif set_shared(write, row, {"regions": types.forward({SHARED: row.blocks})}):
            row.live = row.live and _forward(types, row.live)
            done += 1
    return done


async def _upgrade_page(write: Write, types: BlockTypes, page: Page) -> bool:
    live = None
    if page.live_version_id is not None:
        live = await write.session.get(PageVersion, page.live_version_id)
    shown = is_draft(page, live)
    if not set_content(write, page, regions=types.forward(page.regions)):
        return False
    if shown:
        page.live_version_id = (await version_of_draft(write, page, live=live)).id
    return True


def _forward(types: BlockTypes, content: Any) -> Any:
    if isinstance(content, dict):
        return types.forward(content)
    return types.forward({SHARED: content})[SHARED]


def _stuck(types: BlockTypes, content: Any) -> Iterator[Stored]:
    for block in blocks_in(content):
        kind = types.get(block["type"])
        if kind is not None and block["version"] < kind.version:
            yield block
