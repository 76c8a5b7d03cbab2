"""Files that go, and come back within thirty days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.models import Media
from mosaic_cms.content.tree import find_site
from mosaic_cms.content.uses import require_unused
from mosaic_cms.media import shelf
from mosaic_cms.operations.media import MediaSite, MediaView, NamedMedia, Reference, media_view
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.head import Write

#: Files that are deleted in one write.
_BATCH = 100


class DeleteMedia(Model):
    """A file that goes; ``force`` even if pages use it."""

    media: Reference
    force: bool = False
    site: str | None = None


class BinnedMedia(Model):
    """A file in the bin, and until when it stays there."""

    media: MediaView
    binned_at: datetime
    until: datetime


class PurgedMedia(Model):
    """How many files were deleted for good."""

    files: int


@action("media.delete", needs=Permission("delete", "media"), http="DELETE /media/{media}")
async def delete_media(scope: TenantScope, command: DeleteMedia) -> BinnedMedia:
    """Moves a file to the bin; visitors lose it at once. What is used stays, and it says where."""

    async def fn(write: Write) -> BinnedMedia:
        site = await find_site(write.session, command.site)
        row = await shelf.find(write.session, site, command.media)
        await require_unused(write.session, f"media:{row.id}", force=command.force)
        row.binned_at = write.at
        await shelf.show_again(write, scope.product.publisher, site, row)
        agenda = scope.product.platform.directory.agenda
        await agenda.expect(scope.tenant.tenant_id, write.at + shelf.BIN)
        return _binned(row)

    return await scope.write(fn, reserve=True)


@action("media.bin", needs=Permission("read", "media"), effect="read", http="GET /media/bin")
async def list_binned(scope: TenantScope, command: MediaSite) -> list[BinnedMedia]:
    """What is in the bin, newest first."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        rows = await session.scalars(
            select(Media)
            .where(Media.site_id == site.id, Media.binned_at.is_not(None))
            .order_by(Media.binned_at.desc(), Media.id)
        )
        return [_binned(row) for row in rows]


@action(
    "media.restore_from_bin",
    needs=Permission("create", "media"),
    http="POST /media/bin/{media}/restore",
)
async def restore_from_bin(scope: TenantScope, command: NamedMedia) -> MediaView:
    """Takes a file out of the bin; pages that name it show it again."""

    async def fn(write: Write) -> MediaView:
        site = await find_site(write.session, command.site)
        row = await shelf.find(write.session, site, command.media, binned=True)
        row.binned_at = None
        await shelf.show_again(write, scope.product.publisher, site, row)
        return media_view(row)

    return await scope.write(fn)


@action("media.purge", needs=Permission("delete", "media"), http="DELETE /media/bin/{media}")
async def purge_media(scope: TenantScope, command: NamedMedia) -> PurgedMedia:
    """Deletes a file in the bin for good, with its versions and all that was made of it."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        row = await shelf.find(session, site, command.media, binned=True)
    return await _purge(scope, [row.id])


@action("media.empty_bin", needs=Permission("delete", "media"), http="DELETE /media/bin")
async def empty_bin(scope: TenantScope, command: MediaSite) -> PurgedMedia:
    """Deletes all that is in the bin for good."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        mine = (Media.site_id == site.id, Media.binned_at.is_not(None))
        ids = list(await session.scalars(select(Media.id).where(*mine).order_by(Media.id)))
    return await _purge(scope, ids)


async def _purge(scope: TenantScope, ids: Sequence[UUID]) -> PurgedMedia:
    done = 0
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]

        async def fn(write: Write, batch: Sequence[UUID] = batch) -> int:
            rows = await write.session.scalars(select(Media).where(Media.id.in_(batch)))
            there = [row for row in rows if row.binned_at is not None]
            await shelf.purge(write, there)
            return len(there)

        done += await scope.write(fn, reserve=True)
        scope.progress("files", start + len(batch), len(ids))
    return PurgedMedia(files=done)


def _binned(row: Media) -> BinnedMedia:
    assert row.binned_at is not None
    return BinnedMedia(
        media=media_view(row), binned_at=row.binned_at, until=row.binned_at + shelf.BIN
    )
