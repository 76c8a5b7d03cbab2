"""A stored file that is read like one on the disk, wherever it is stored."""

from __future__ import annotations

import asyncio
import io
import os
from typing import BinaryIO, cast

from mosaic_core.storage import FileInfo, Storage
from mosaic_core.tenants import TenantContext

#: Bytes that are asked for at once, at least.
_AT_ONCE = 256 * 1024


class _Stored(io.RawIOBase):
    """Asks the storage in the loop that it belongs to, from a thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        storage: Storage,
        tenant: TenantContext,
        info: FileInfo,
    ) -> None:
        self._loop = loop
        self._storage = storage
        self._tenant = tenant
        self._info = info
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._info.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        end = min(self._at + len(buffer), self._info.size)
        if end <= self._at:
            return 0
        found = asyncio.run_coroutine_threadsafe(self._part(end), self._loop).result()
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    async def _part(self, end: int) -> bytes:
        chunks = self._storage.read(self._tenant, self._info.key, start=self._at, end=end)
        return b"".join([chunk async for chunk in chunks])


def stored_file(storage: Storage, tenant: TenantContext, info: FileInfo) -> BinaryIO:
    """A stored file as one that a thread can read; made in the loop's own thread."""
    raw = _Stored(asyncio.get_running_loop(), storage, tenant, info)
    return cast(BinaryIO, io.BufferedReader(raw, _AT_ONCE))
