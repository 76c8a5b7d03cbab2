"""Who uses a page, a file or a shared block, and where: for editors, and before it is deleted."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.stored import is_block
from mosaic_cms.content.models import Media, Menu, Page, PageVersion, SharedBlock
from mosaic_cms.content.published import ContentReference
from mosaic_cms.content.references import in_chunks
from mosaic_cms.content.usage import named_in
from mosaic_core.errors import Conflict

#: Uses that a refusal names.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Use:
    """Something uses a target.

    Attributes:
        source: ``page:<id>``, ``shared:<id>`` or ``menu:<id>``.
        title: of the page or shared block; of a menu, its place and language.
        path: of the page.
        state: draft, live or both.
        within: the block types that name it, and the page's own fields (``details.image``).
        site_id: the site whose page, block or menu it is.
        binned: the page is in the bin.
    """

    source: str
    title: str
    path: str | None
    state: str
    within: tuple[str, ...]
    site_id: uuid.UUID
    binned: bool = False

    def __str__(self) -> str:
        what = repr(self.title) if self.path is None else f"{self.title!r} ({self.path})"
        where = {"draft": "its draft", "live": "what visitors see", "both": "draft and live"}
        return f"{what}: {', '.join(self.within) or 'somewhere'}, in {where[self.state]}"


async def uses_of(session: AsyncSession, target: str) -> list[Use]:
    """Everything that uses ``page:<id>``, ``media:<id>`` or ``shared:<id>``: pages by their path,
    then shared blocks, then menus."""
    rows = await session.scalars(select(ContentReference).where(ContentReference.target == target))
    found = [use for row in rows if (use := await _use(session, row)) is not None]
    return sorted(found, key=lambda use: (use.path is None, use.path or "", use.source))


async def require_unused(
    session: AsyncSession,
    *targets: str,
    readable: Collection[uuid.UUID] | None = None,
    force: bool = False,
) -> None:
    """Refuses what something else uses, unless it is forced. What the targets use of one another
    counts for nothing, nor does a page in the bin.

    Args:
        readable: the sites of which whoever asks may be told; None for all.

    Raises:
        Conflict: naming the first of the places.
    """
    if force:
        return
    uses: list[tuple[str, Use]] = []
    for some in in_chunks(targets):
        rows = await session.scalars(
            select(ContentReference)
            .where(ContentReference.target.in_(some))
            .order_by(ContentReference.target, ContentReference.source)
        )
        for row in rows.all():
            use = await _use(session, row) if row.source not in targets else None
            if use is not None and not use.binned:
                uses.append((row.target, use))
    if uses:
        told = "; ".join(
            [
                f"{await _called(session, target)} by {_named(use, readable)}"
                for target, use in uses[:_NAMED]
            ]
        )
        more = f"; and {len(uses) - _NAMED} more" if len(uses) > _NAMED else ""
        raise Conflict(
            f"It is used: {told}{more}.",
            hint="Take it out there first, or insist with 'force': links to it lead nowhere then.",
        )


def _named(use: Use, readable: Collection[uuid.UUID] | None) -> str:
    hidden = readable is not None and use.site_id not in readable
    return "something at another site" if hidden else str(use)


async def _called(session: AsyncSession, target: str) -> str:
    """What a target is called among people."""
    kind, _, key = target.partition(":")
    if kind == "page":
        page = await session.get(Page, uuid.UUID(key))
        return target if page is None else page.path
    found: SharedBlock | Media | None
    if kind == "shared":
        found = await session.get(SharedBlock, uuid.UUID(key))
    else:
        found = await session.get(Media, uuid.UUID(key))
    return target if found is None else repr(found.name)


async def _use(session: AsyncSession, row: ContentReference) -> Use | None:
    kind, _, key = row.source.partition(":")
    source_id = uuid.UUID(key)
    if kind == "page":
        page = await session.get(Page, source_id)
        if page is None:
            return None
        contents = [(page.regions, page.details)]
        if row.state != "draft" and page.live_version_id is not None:
            version = await session.get_one(PageVersion, page.live_version_id)
            contents.append((version.regions, version.details))
        within = _found(
            place
            for regions, details in contents
            for place in (*_within(regions, row.target), *_fields(details, row.target))
        )
        binned = page.binned_at is not None
        return Use(row.source, page.title, page.known_path, row.state, within, page.site_id, binned)
    if kind == "shared":
        shared = await session.get(SharedBlock, source_id)
        if shared is None:
            return None
        within = _found(_within([shared.blocks, shared.live], row.target))
        return Use(row.source, shared.name, None, row.state, within, shared.site_id)
    menu = await session.get(Menu, source_id)
    if menu is None:
        return None
    called = f"{menu.place} menu ({menu.language})"
    return Use(row.source, called, None, row.state, ("menu",), menu.site_id)


def _found(places: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(places))


def _within(value: Any, target: str, kind: str = "") -> Iterator[str]:
    """The types of the blocks that name a target, the innermost ones."""
    if is_block(value):
        yield from _within(value["data"], target, value["type"])
    elif isinstance(value, dict):
        for item in value.values():
            yield from _within(item, target, kind)
    elif isinstance(value, list):
        for item in value:
            yield from _within(item, target, kind)
    elif isinstance(value, str) and kind and target in named_in(value):
        yield kind


def _fields(details: dict[str, Any], target: str) -> Iterator[str]:
    for name, value in details.items():
        if target in named_in(value):
            yield f"details.{name}"
