"""Clears away what nobody waits for any more: uploads that never ended, what was in the bin for
thirty days, and objects that are in no row.

After it, what is stored is what the library knows of, and the renditions of that.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Media, MediaUpload
from mosaic_cms.media import shelf
from mosaic_cms.media.intake import abandon
from mosaic_cms.pictures.picture import made_in
from mosaic_core.head import Write
from mosaic_core.storage import PATIENCE, Storage
from mosaic_core.tenants import TenantContext

if TYPE_CHECKING:
    from mosaic_cms.scope import TenantScope

#: Files that are deleted in one write.
_BATCH = 100
#: Where the library's objects are.
FOLDER = "media/"


@dataclasses.dataclass(frozen=True, slots=True)
class Cleared:
    """What a sweep cleared away: uploads, files of the bin, objects, and bytes of the latter."""

    uploads: int = 0
    binned: int = 0
    objects: int = 0
    bytes: int = 0


async def sweep(scope: TenantScope, now: datetime, *, older_than: timedelta = PATIENCE) -> Cleared:
    """Sweeps a tenant's libraries.

    Args:
        older_than: parts of uploads that no row is of are left alone for so long.
    """
    storage = scope.product.platform.storage(scope.tenant)
    async with scope.read() as session:
        late = select(MediaUpload).where(MediaUpload.expires_at <= now)
        uploads = list(await session.scalars(late))
        old = select(Media.id).where(Media.binned_at <= now - shelf.BIN).order_by(Media.id)
        binned = list(await session.scalars(old))
        session.expunge_all()
    for upload in uploads:
        await abandon(scope, upload)
    for start in range(0, len(binned), _BATCH):
        batch = binned[start : start + _BATCH]

        async def fn(write: Write, batch: list[object] = batch) -> None:  # type: ignore[assignment]
            rows = await write.session.scalars(select(Media).where(Media.id.in_(batch)))
            old = now - shelf.BIN  # it may have been taken out, and put there again
            await shelf.purge(
                write, [row for row in rows if row.binned_at and row.binned_at <= old]
            )

        await scope.write(fn, reserve=True)
    await scope.settle()
    parts = await storage.sweep(scope.tenant, older_than=older_than)
    objects, size = await _strays(scope, storage, scope.tenant)
    return Cleared(len(uploads), len(binned), parts.removed + objects, parts.bytes + size)


async def _strays(scope: TenantScope, storage: Storage, tenant: TenantContext) -> tuple[int, int]:
    """Removes objects that are in no row: how many, and their bytes.

    They are listed before the rows are read: whatever comes meanwhile was noted before it came.
    """
    there = [info async for info in storage.list(tenant, FOLDER)]
    async with scope.read() as session:
        known = await shelf.keys_in_rows(session)
    folders = {key.rpartition("/")[0] for key in known}
    count = size = 0
    for info in there:
        made = made_in(info.key)
        if info.key in known or (made is not None and made in folders):
            continue
        await storage.delete(tenant, info.key)
        count, size = count + 1, size + info.size
    return count, size


async def next_sweep(session: AsyncSession) -> datetime | None:
    """When the next of these is due, besides strays, which nobody knows of."""
    expires = await session.scalar(select(func.min(MediaUpload.expires_at)))
    binned = await session.scalar(select(func.min(Media.binned_at)))
    times = [expires, None if binned is None else binned + shelf.BIN]
    return min((at for at in times if at is not None), default=None)
