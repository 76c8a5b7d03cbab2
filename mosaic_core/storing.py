"""Files of tenants, wherever they live.

Whoever stores a file for a tenant holds its context, which may be of a home that the tenant leaves
just then. What a move has not seen of it, nobody would find. So after a file was stored or removed,
the head of that home is looked at: a move reads what files there are after it said there that they
are settled, and as long as it has not, it will see this one. Else whoever stored it waits for the
end of the move, and does it again where the tenant lives by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TypeVar

from mosaic_core.errors import DatabaseMissing, FileMissing, TenantFenced
from mosaic_core.homes import Homes
from mosaic_core.persistence import HeadStatus, Persistence
from mosaic_core.storage import PATIENCE, FileInfo, Storage, Swept, Upload
from mosaic_core.tenants import TenantContext

T = TypeVar("T")
#: Finds the home that a tenant left last, while that is kept.
Before = Callable[[TenantContext], Awaitable[TenantContext | None]]
#: Seconds to wait for the end of a move, and between two looks at it.
_FENCE, _LOOK = 60.0, 0.05


class FollowingStorage:
    """Implements :class:`mosaic_core.storage.Storage` where each tenant lives.

    Args:
        at: the storage of a home.
        persistence: of a home.
        before: where files in parts may have been begun that come now.
    """

    def __init__(
        self,
        homes: Homes,
        at: Callable[[TenantContext], Storage],
        persistence: Callable[[TenantContext], Persistence],
        before: Before,
    ) -> None:
        self._homes = homes
        self._at = at
        self._persistence = persistence
        self._before = before

    # What reads

    async def read(
        self, tenant: TenantContext, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        home = self._homes.of(tenant)
        async for chunk in self._at(home).read(home, key, start=start, end=end):
            yield chunk

    async def stat(self, tenant: TenantContext, key: str) -> FileInfo:
        home = self._homes.of(tenant)
        return await self._at(home).stat(home, key)

    async def list(self, tenant: TenantContext, prefix: str = "") -> AsyncIterator[FileInfo]:
        home = self._homes.of(tenant)
        async for info in self._at(home).list(home, prefix):
            yield info

    async def usage(self, tenant: TenantContext) -> int:
        home = self._homes.of(tenant)
        return await self._at(home).usage(home)

    def place(self, tenant: TenantContext) -> str:
        home = self._homes.of(tenant)
        return self._at(home).place(home)

    async def signed_url(
        self,
        tenant: TenantContext,
        key: str,
        *,
        expires_in: timedelta,
        name: str | None = None,
        content_type: str | None = None,
    ) -> str | None:
        home = self._homes.of(tenant)
        return await self._at(home).signed_url(
            home, key, expires_in=expires_in, name=name, content_type=content_type
        )

    def lease(self, tenant: TenantContext, key: str) -> AbstractAsyncContextManager[bool]:
        home = self._homes.of(tenant)
        return self._at(home).lease(home, key)

    # What changes files

    async def write(
        self,
        tenant: TenantContext,
        key: str,
        chunks: AsyncIterable[bytes],
        *,
        size: int | None = None,
        digest: str | None = None,
    ) -> FileInfo:
        home = self._homes.of(tenant)
        info = await self._at(home).write(home, key, chunks, size=size, digest=digest)
        return await self._carried(home, info)

    async def copy(self, tenant: TenantContext, source: str, target: str) -> FileInfo:
        home = self._homes.of(tenant)
        return await self._carried(home, await self._at(home).copy(home, source, target))

    async def delete(self, tenant: TenantContext, key: str) -> None:
        home: TenantContext | None = self._homes.of(tenant)
        while home is not None:
            await self._at(home).delete(home, key)
            home = await self._left(home)

    async def drop(self, tenant: TenantContext) -> None:
        home = self._homes.of(tenant)
        await self._at(home).drop(home)

    async def sweep(self, tenant: TenantContext, *, older_than: timedelta = PATIENCE) -> Swept:
        home = self._homes.of(tenant)
        return await self._at(home).sweep(home, older_than=older_than)

    # Files in parts

    async def begin_upload(
        self, tenant: TenantContext, key: str, *, size: int, digest: str | None = None
    ) -> Upload:
        home = self._homes.of(tenant)
        return await self._at(home).begin_upload(home, key, size=size, digest=digest)

    async def find_upload(self, tenant: TenantContext, upload_id: str) -> Upload:
        found, _ = await self._begun(tenant, lambda s, home: s.find_upload(home, upload_id))
        return found

    async def write_part(
        self, tenant: TenantContext, upload_id: str, number: int, chunks: AsyncIterable[bytes]
    ) -> None:
        await self._begun(tenant, lambda s, home: s.write_part(home, upload_id, number, chunks))

    async def finish_upload(self, tenant: TenantContext, upload_id: str) -> FileInfo:
        info, home = await self._begun(tenant, lambda s, home: s.finish_upload(home, upload_id))
        return await self._carried(home, info)

    async def abort_upload(self, tenant: TenantContext, upload_id: str) -> None:
        home: TenantContext | None = self._homes.of(tenant)
        while home is not None:
            await self._at(home).abort_upload(home, upload_id)
            home = await self._before(home)

    async def signed_part_url(
        self, tenant: TenantContext, upload_id: str, number: int, *, expires_in: timedelta
    ) -> str | None:
        address, _ = await self._begun(
            tenant,
            lambda s, home: s.signed_part_url(home, upload_id, number, expires_in=expires_in),
        )
        return address

    async def _begun(
        self, tenant: TenantContext, attempt: Callable[[Storage, TenantContext], Awaitable[T]]
    ) -> tuple[T, TenantContext]:
        """Does something with an upload where it was begun: where its tenant lives, or lived until
        lately; and where that is."""
        home = self._homes.of(tenant)
        while True:
            try:
                return await attempt(self._at(home), home), home
            except FileMissing:
                before = await self._before(home)
                if before is None:
                    raise
                home = before

    # Following

    async def _carried(self, home: TenantContext, info: FileInfo) -> FileInfo:
        """A file that was just stored, once it is where its tenant lives."""
        left = await self._left(home)
        while left is not None:
            here, there = self._at(home), self._at(left)
            if here.place(home) != there.place(left):
                chunks = here.read(home, info.key)
                info = await there.write(left, info.key, chunks, size=info.size, digest=info.digest)
            home, left = left, await self._left(left)
        return info

    async def _left(self, home: TenantContext) -> TenantContext | None:
        """Where a tenant went that does not live where it lived; None when it lives there.

        Raises:
            TenantFenced: it is not said in time.
        """
        if not self._homes.knows(home):
            return None
        persistence = self._persistence(home)
        for _ in range(round(_FENCE / _LOOK)):
            try:
                status = (await persistence.head(home)).status
            except DatabaseMissing:
                return await self._homes.again(home)
            if status is HeadStatus.MOVED:
                return await self._homes.again(home)
            if status not in {HeadStatus.SETTLED, HeadStatus.FENCED}:
                return None
            await asyncio.sleep(_LOOK)
        raise TenantFenced(f"{home.slug!r} is being moved.", hint="Try again in a moment.")
