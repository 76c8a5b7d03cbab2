"""Saving a draft on top of what others saved meanwhile, and the steps back that this needs.

Pages and shared blocks have drafts. That of a shared block is taken as a page that has its name as
the title, and its blocks in one region.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.stored import Regions, regions_of
from mosaic_cms.content.conflicts import Difference, EditConflict
from mosaic_cms.content.merge import merge
from mosaic_cms.content.models import Page, PageVersion, SharedBlock
from mosaic_cms.content.outline import MISSING, Outline, PageContent, same
from mosaic_cms.content.references import in_chunks
from mosaic_core import types
from mosaic_core.database import TenantBase, derived
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write
from mosaic_core.types import canonical_json

#: Steps back that are kept for a page, at most, and the characters in them.
MOST_STEPS = 500
MOST_IN_STEPS = 4_000_000
#: Old steps are looked for after as many saves, or after a step of as many characters.
_FORGET_EVERY = 50
_LARGE = 100_000


#: The region that a shared block's blocks are in.
SHARED = "blocks"


class DraftStep(TenantBase):
    """What brings a draft from the save after ``revision`` back to ``revision``.

    Nothing but the means to merge is lost with it: a change that is based on a save to which no
    steps lead is shown to be at odds with the draft, never put over it.
    """

    __tablename__ = "draft_steps"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    #: Of the page, or of the shared block.
    draft_id: Mapped[uuid.UUID] = mapped_column("page_id", types.Uuid(), primary_key=True)
    revision: Mapped[int] = mapped_column(types.Integer(), primary_key=True)
    #: Characters of ``step``.
    size: Mapped[int] = mapped_column(types.Integer())
    #: The fields that differ, as they were; in regions, a block that is the same later is its id.
    step: Mapped[dict[str, Any]] = mapped_column(types.Json())


def content_of(row: Page | PageVersion | SharedBlock) -> PageContent:
    """A draft's or a version's content."""
    if isinstance(row, SharedBlock):
        return PageContent.model_construct(title=row.name, layout="", regions={SHARED: row.blocks})
    return PageContent.model_construct(
        title=row.title,
        summary=row.summary,
        layout=row.layout,
        details=row.details,
        regions=row.regions,
    )


def step_back(draft: Page | SharedBlock, changes: dict[str, Any]) -> DraftStep:
    """The step from a draft with ``changes`` back to what it is now."""
    now = content_of(draft)
    step = {name: getattr(now, name) for name in changes}
    if "regions" in step:
        later = {block["id"]: block for blocks in changes["regions"].values() for block in blocks}
        step["regions"] = {
            region: [
                block["id"] if same(later.get(block["id"], MISSING), block) else block
                for block in blocks
            ]
            for region, blocks in now.regions.items()
        }
    size = len(canonical_json(step))
    return DraftStep(draft_id=draft.id, revision=draft.revision, size=size, step=step)


async def draft_at(
    session: AsyncSession, draft: Page | SharedBlock, revision: int
) -> PageContent | None:
    """A draft as it was at a save; None when that is not known any more."""
    steps = await session.execute(
        select(DraftStep.revision, DraftStep.step)
        .where(DraftStep.draft_id == draft.id, DraftStep.revision >= revision)
        .order_by(DraftStep.revision.desc())
    )
    content = dict(content_of(draft))
    reached = draft.revision
    for at, step in steps:
        if at != reached - 1:
            return None
        if "regions" in step:
            step["regions"] = _undone(content["regions"], step["regions"])
        content |= step
        reached = at
    return PageContent.model_construct(**content) if reached == revision else None


def _undone(later: Regions, step: dict[str, list[Any]]) -> Regions:
    known = {block["id"]: block for blocks in later.values() for block in blocks}
    return {
        region: [known[block] if isinstance(block, str) else block for block in blocks]
        for region, blocks in step.items()
    }


async def forget_steps(session: AsyncSession, draft: Page | SharedBlock) -> None:
    """Keeps the newest steps back, as many as there may be."""
    if draft.revision % _FORGET_EVERY:
        newest = await session.get(DraftStep, (draft.id, draft.revision - 1))
        if newest is None or newest.size < _LARGE:
            return
    rows = await session.execute(
        select(DraftStep.revision, DraftStep.size)
        .where(DraftStep.draft_id == draft.id)
        .order_by(DraftStep.revision.desc())
    )
    total = 0
    for number, (revision, size) in enumerate(rows):
        total += size
        if number >= MOST_STEPS or total > MOST_IN_STEPS:
            await session.execute(
                delete(DraftStep).where(
                    DraftStep.draft_id == draft.id, DraftStep.revision <= revision
                )
            )
            return


async def forget_drafts(session: AsyncSession, ids: Sequence[uuid.UUID]) -> None:
    """Forgets what pages and shared blocks were like that are deleted for good."""
    for some in in_chunks(ids):
        await session.execute(delete(DraftStep).where(DraftStep.draft_id.in_(some)))


async def changed_draft(
    write: Write,
    draft: Page | SharedBlock,
    what: str,
    types: BlockTypes,
    given: Callable[[PageContent], dict[str, Any]],
    based_on: int,
) -> dict[str, Any]:
    """What a change that is based on an older save makes of the draft: both in one.

    Args:
        what: it is: ``the page '/visit/'``.
        given: says what is different, from the content that the change is based on.
        based_on: the draft's revision then.

    Raises:
        EditConflict: with all that is at odds.
        InvalidInput: there never was such a save, or the change does not fit.
    """
    if not 0 <= based_on < draft.revision:
        raise InvalidInput(
            f"{what[:1].upper()}{what[1:]} has no revision {based_on}; its draft is "
            f"{draft.revision}.",
            hint="Read it again, and base the change on what it is now.",
        )
    theirs = content_of(draft)
    base = await draft_at(write.session, draft, based_on)
    changes = given(base or theirs)
    if "regions" in changes:
        changes["regions"] = regions_of(changes["regions"])
    mine = PageContent.model_construct(**{**dict(base or theirs), **changes})
    mine, theirs = _forward(types, mine), _forward(types, theirs)
    if base is None:
        conflicts = tuple(_differences(mine, theirs))
        merged: PageContent | None = theirs
    else:
        result = merge(_forward(types, base), mine, theirs)
        merged, conflicts = result.content, result.conflicts
    if conflicts or merged is None:
        if isinstance(draft, SharedBlock):
            conflicts = tuple(map(_of_shared, conflicts))
        raise EditConflict(what, draft.revision, conflicts)
    return dict(merged)


def _of_shared(conflict: Difference) -> Difference:
    if conflict.where == "title":
        return conflict.model_copy(update={"where": "name"})
    return conflict


def _forward(types: BlockTypes, content: PageContent) -> PageContent:
    return content.model_copy(update={"regions": types.forward(content.regions)})


def _differences(mine: PageContent, theirs: PageContent) -> Iterator[Difference]:
    """Everything that differs: nobody knows any more which side changed it."""
    for name in ("title", "summary", "layout"):
        yield from _at_odds("field", name, None, getattr(mine, name), getattr(theirs, name))
    for key in {**theirs.details, **mine.details}:
        sides = (side.details.get(key, MISSING) for side in (mine, theirs))
        yield from _at_odds("field", f"details.{key}", None, *sides)
    one, two = Outline.of(mine.regions, theirs.regions)
    found = False
    for id in {**two.nodes, **one.nodes}:
        nodes = [side.nodes.get(id) for side in (one, two)]
        where = next(node.place for node in nodes if node is not None)
        sides = (MISSING if node is None else node.block for node in nodes)
        for difference in _at_odds("changed", where, id, *sides):
            found = True
            yield difference
    if not found:
        yield from _at_odds("moved", "regions", None, mine.regions, theirs.regions)


def _at_odds(kind: Any, where: str, id: str | None, mine: Any, theirs: Any) -> Iterator[Difference]:
    if not same(mine, theirs):
        yield Difference(
            kind=kind,
            where=where,
            block_id=id,
            what="it differs, and what it was is not known any more",
            base=None,
            mine=None if mine is MISSING else mine,
            theirs=None if theirs is MISSING else theirs,
        )
