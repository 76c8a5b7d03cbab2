"""Shared blocks: the same wherever they are shown, with a draft beside what is live."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Model, action
from mosaic_cms.blocks.stored import recognised
from mosaic_cms.content.drafts import SHARED, changed_draft, content_of, forget_drafts, forget_steps
from mosaic_cms.content.erasing import delete_for_good
from mosaic_cms.content.lines import line_of
from mosaic_cms.content.models import SharedBlock
from mosaic_cms.content.outline import PageContent
from mosaic_cms.content.placing import depending_on
from mosaic_cms.content.published import ContentReference
from mosaic_cms.content.references import described_in
from mosaic_cms.content.sharing import require_no_ring, set_shared
from mosaic_cms.content.tree import find_site
from mosaic_cms.content.uses import require_unused
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id

Name = Annotated[str, Field(min_length=1, max_length=200)]


class OfSite(Model):
    """A site, by its key; None is the tenant's first."""

    site: str | None = None


class NamedShared(Model):
    """A shared block, by its id."""

    id: uuid.UUID


class CreateShared(Model):
    """A new shared block, as a draft."""

    name: Name
    blocks: list[dict[str, Any]] = Field(default_factory=list)
    site: str | None = None


class EditShared(Model):
    """Changes to a draft; None leaves a thing as it is."""

    id: uuid.UUID
    name: Name | None = None
    blocks: list[dict[str, Any]] | None = None
    #: The draft's revision that was changed. It has to be said, here or with If-Match.
    based_on: int | None = None


class DeleteShared(Model):
    """A shared block; ``force`` takes it from the pages that show it."""

    id: uuid.UUID
    force: bool = False


class SharedView(Model):
    """A shared block in a list."""

    id: uuid.UUID
    name: str
    #: draft, published, or changed (published, with a newer draft).
    state: str
    revision: int
    updated_at: datetime
    #: How many pages and shared blocks use it.
    uses: int


class SharedDetail(SharedView):
    """A shared block with its draft, and with what visitors see."""

    blocks: list[dict[str, Any]]
    live: list[dict[str, Any]] | None


class SavedShared(SharedDetail):
    """A draft as it was saved; ``merged`` with what others had saved meanwhile."""

    merged: bool


@action("shared.list", needs=Permission("read", "content"), effect="read", http="GET /shared")
async def list_shared(scope: TenantScope, command: OfSite) -> list[SharedView]:
    """The shared blocks of a site, by name."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        rows = await session.scalars(
            select(SharedBlock)
            .where(SharedBlock.site_id == site.id)
            .order_by(SharedBlock.name, SharedBlock.id)
        )
        return [SharedView(**await _facts(session, row)) for row in rows]


@action(
    "shared.show",
    needs=Permission("read", "content"),
    effect="read",
    http="GET /shared/{id}",
    of=SharedBlock,
)
async def show_shared(scope: TenantScope, command: NamedShared) -> SharedDetail:
    """A shared block."""
    async with scope.read() as session:
        return await _detail(session, await _found(session, command.id))


@action("shared.create", needs=Permission("create", "content"), http="POST /shared")
async def create_shared(scope: TenantScope, command: CreateShared) -> SharedDetail:
    """Makes a shared block as a draft."""

    async def fn(write: Write) -> SharedDetail:
        site = await find_site(write.session, command.site)
        row = SharedBlock(
            id=new_id(),
            site_id=site.id,
            name=_name(command.name),
            blocks=scope.kept({SHARED: command.blocks}, before=[])[SHARED],
            live=None,
            revision=1,
            updated_at=write.at,
        )
        write.session.add(row)
        return await _detail(write.session, row)

    return await scope.write(fn)


@action(
    "shared.edit", needs=Permission("update", "content"), http="PATCH /shared/{id}", of=SharedBlock
)
async def edit_shared(scope: TenantScope, command: EditShared) -> SavedShared:
    """Saves a draft; what visitors see stays.

    A change that is based on an older draft is merged into what others saved since, or refused
    with all that is at odds.
    """
    types = scope.product.blocks

    def given(base: PageContent) -> dict[str, Any]:
        content: dict[str, Any] = {}
        if command.name is not None:
            content["title"] = _name(command.name)
        if command.blocks is not None:
            blocks = recognised(command.blocks, base.regions[SHARED])
            content["regions"] = types.kept({SHARED: blocks})
        return content

    async def fn(write: Write) -> SavedShared:
        row = await _found(write.session, command.id)
        what = f"the shared block {row.name!r}"
        based_on = scope.base(command.based_on, row.revision, what)
        merging = based_on != row.revision
        if merging:
            content = await changed_draft(write, row, what, types, given, based_on)
        else:
            content = given(content_of(row))
        if "regions" in content:
            scope.require_permitted(content["regions"], before=row.blocks)
        if set_shared(write, row, content):
            await write.session.flush()
            await forget_steps(write.session, row)
        detail = await _detail(write.session, row)
        return SavedShared(**detail.model_dump(), merged=merging)

    return await scope.write(fn, coalesce=True)


@action(
    "shared.publish",
    needs=Permission("publish", "content"),
    http="POST /shared/{id}/publish",
    of=SharedBlock,
)
async def publish_shared(scope: TenantScope, command: NamedShared) -> SharedDetail:
    """Makes the draft what visitors see; the pages that show it, and only they, follow by a job."""

    async def fn(write: Write) -> SharedDetail:
        row = await _found(write.session, command.id)
        await _require_whole(scope, write.session, row)
        await require_no_ring(write.session, row)
        if row.live != row.blocks:
            row.live = row.blocks
            await _follow(scope, write, row)
        return await _detail(write.session, row)

    return await scope.write(fn)


@action(
    "shared.delete",
    needs=Permission("delete", "content"),
    http="DELETE /shared/{id}",
    of=SharedBlock,
)
async def delete_shared(scope: TenantScope, command: DeleteShared) -> SharedView:
    """Deletes a shared block that nothing uses."""

    async def fn(write: Write) -> SharedView:
        row = await _found(write.session, command.id)
        await require_unused(
            write.session,
            f"shared:{row.id}",
            readable=await scope.readable(write.session),
            force=command.force,
        )
        view = SharedView(**await _facts(write.session, row))
        await _follow(scope, write, row)
        await forget_drafts(write.session, [row.id])
        await delete_for_good(write, [row])
        return view

    return await scope.write(fn, reserve=True)


async def _follow(scope: TenantScope, write: Write, row: SharedBlock) -> None:
    """Has the published pages that show a shared block rendered again."""
    showing = await depending_on(write.session, [f"shared:{row.id}"])
    await scope.product.publisher.render_later(write, showing)


async def _require_whole(scope: TenantScope, session: AsyncSession, row: SharedBlock) -> None:
    described = await described_in(session, row.blocks)
    faults = scope.product.blocks.faults({"blocks": row.blocks}, described=described)
    problems = tuple((fault.where, fault.what) for fault in faults if fault.level == "problem")
    if problems:
        told = "; ".join(f"{where}: {what}" for where, what in problems[:5])
        raise InvalidInput(
            f"The shared block {row.name!r} cannot be published yet: {told}.",
            hint="Mend what is named, then publish; the draft is saved as it is.",
            problems=problems,
        )


async def _found(session: AsyncSession, shared_id: uuid.UUID) -> SharedBlock:
    row = await session.get(SharedBlock, shared_id)
    if row is None:
        raise NotFound(
            f"There is no shared block with the id {shared_id}.",
            hint="'mosaic shared list' shows those there are.",
        )
    return row


def _name(name: str) -> str:
    try:
        return line_of(name)
    except ValueError:
        raise InvalidInput(f"{name[:80]!r} is no name.", hint="Write a line of words.") from None


async def _facts(session: AsyncSession, row: SharedBlock) -> dict[str, Any]:
    uses = await session.scalar(
        select(func.count())
        .select_from(ContentReference)
        .where(ContentReference.target == f"shared:{row.id}")
    )
    state = "draft" if row.live is None else "published" if row.live == row.blocks else "changed"
    return {
        "id": row.id,
        "name": row.name,
        "state": state,
        "revision": row.revision,
        "updated_at": row.updated_at,
        "uses": uses or 0,
    }


async def _detail(session: AsyncSession, row: SharedBlock) -> SharedDetail:
    return SharedDetail(**await _facts(session, row), blocks=row.blocks, live=row.live)
