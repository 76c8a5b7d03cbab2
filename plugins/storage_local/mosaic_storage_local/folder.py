"""``<data>/files/tenant-<id>/…``: a key is a path, so a person can find a file.

A write goes to a draft in the same file system and is renamed when it is complete and on the disk.
Digests are kept beside, in a file of the same name.
"""

from __future__ import annotations

import asyncio
import os
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from mosaic_core.errors import FileMismatch, FileMissing, InvalidKey
from mosaic_core.storage import PATIENCE, FileInfo, Swept, Upload, normalise_key
from mosaic_core.tenants import TenantContext, Tier
from mosaic_storage_local import disk, drafts, uploads
from mosaic_storage_local.home import Home, full

_CHUNK = 256 * 1024
#: Files of a list that are looked at in one turn of a thread.
_BATCH = 100
#: Tenants whose folders are remembered.
_MOST_HOMES = 4_096
#: Reads what is in memory and nothing else; 0 where the system cannot be asked for that.
_AT_ONCE: int = getattr(os, "RWF_NOWAIT", 0)


class LocalFolder:
    """Implements :class:`mosaic_core.storage.Storage`; it has no addresses of its own."""

    def __init__(self, root: Path, tiers: Mapping[str, Tier]) -> None:
        self._root = root
        self._tiers = tiers
        self._home = lru_cache(_MOST_HOMES)(self._find_home)

    async def write(
        self,
        tenant: TenantContext,
        key: str,
        chunks: AsyncIterable[bytes],
        *,
        size: int | None = None,
        digest: str | None = None,
    ) -> FileInfo:
        key = normalise_key(key)
        home = self._home(tenant)
        with ExitStack() as stack:
            with disk.storing(key):
                room = None if home.limit is None else await asyncio.to_thread(home.room, key)
                if room is not None and (size or 0) > room:
                    raise full(tenant)
                path, file = stack.enter_context(drafts.draft(home.drafts))
            most = min((most for most in (room, size) if most is not None), default=None)
            watched = drafts.watched(home, path, chunks)
            written, found = await drafts.receive(watched, file, key, most=most)
            if room is not None and written > room:
                raise full(tenant)
            if size not in (None, written) or digest not in (None, found):
                raise FileMismatch(
                    f"{key!r} is not the file that was announced: of {size} bytes {written} came, "
                    f"with the digest {found} (announced: {digest}).",
                    hint="Send it again.",
                )
            with disk.storing(key):
                return await disk.finished(_settle, home, key, path, found)

    async def read(
        self, tenant: TenantContext, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        key = normalise_key(key)
        with disk.reading(key):
            # On purpose not in a thread, as most of what is read is in memory.
            file = os.open(self._home(tenant).name(key), os.O_RDONLY | os.O_CLOEXEC)
        try:
            with disk.reading(key):
                left = disk.length(file) - start
            if end is not None:
                left = min(left, end - start)
            while left > 0:
                most = min(left, _CHUNK)
                with disk.reading(key):
                    chunk = _in_memory(file, start, most)
                    if chunk is None:
                        chunk = await asyncio.to_thread(os.pread, file, most, start)
                if not chunk:
                    break
                yield chunk
                start += len(chunk)
                left -= len(chunk)
        finally:
            os.close(file)

    async def stat(self, tenant: TenantContext, key: str) -> FileInfo:
        key = normalise_key(key)
        with disk.reading(key):
            return await asyncio.to_thread(self._home(tenant).info, key)

    async def delete(self, tenant: TenantContext, key: str) -> None:
        key = normalise_key(key)
        with disk.storing(key):
            await disk.finished(self._home(tenant).remove, key)

    async def copy(self, tenant: TenantContext, source: str, target: str) -> FileInfo:
        info = await self.stat(tenant, source)
        return await self.write(
            tenant, target, self.read(tenant, source), size=info.size, digest=info.digest
        )

    async def list(self, tenant: TenantContext, prefix: str = "") -> AsyncIterator[FileInfo]:
        home, prefix = self._home(tenant), unicodedata.normalize("NFC", prefix)
        if not _can_begin(prefix):
            return
        with disk.reading(prefix):
            keys = await asyncio.to_thread(disk.keys, home.path / "content", prefix)
        for start in range(0, len(keys), _BATCH):
            for info in await asyncio.to_thread(_infos, home, keys[start : start + _BATCH]):
                yield info

    async def usage(self, tenant: TenantContext) -> int:
        with disk.reading(tenant.slug):
            return await asyncio.to_thread(self._home(tenant).used)

    async def drop(self, tenant: TenantContext) -> None:
        with disk.storing(tenant.slug):
            await disk.finished(disk.remove, self._home(tenant).path)

    def place(self, tenant: TenantContext) -> str:
        return f"file:{self._home(tenant).path.absolute()}"

    @asynccontextmanager
    async def lease(self, tenant: TenantContext, key: str) -> AsyncIterator[bool]:
        # Not in a thread: there is nothing to wait for, and nothing that is cancelled half-way.
        with drafts.leased(self._home(tenant).drafts, normalise_key(key)) as ours:
            yield ours

    async def begin_upload(
        self, tenant: TenantContext, key: str, *, size: int, digest: str | None = None
    ) -> Upload:
        key = normalise_key(key)
        with disk.storing(key):
            return await disk.finished(uploads.begin, self._home(tenant), key, size, digest)

    async def find_upload(self, tenant: TenantContext, upload_id: str) -> Upload:
        with disk.reading(upload_id):
            return await asyncio.to_thread(uploads.find, self._home(tenant), upload_id)

    async def write_part(
        self, tenant: TenantContext, upload_id: str, number: int, chunks: AsyncIterable[bytes]
    ) -> None:
        await uploads.write_part(self._home(tenant), upload_id, number, chunks)

    async def finish_upload(self, tenant: TenantContext, upload_id: str) -> FileInfo:
        key = (await self.find_upload(tenant, upload_id)).key
        with disk.storing(key):
            return await disk.finished(uploads.finish, self._home(tenant), upload_id)

    async def abort_upload(self, tenant: TenantContext, upload_id: str) -> None:
        with disk.storing(upload_id):
            await disk.finished(uploads.abort, self._home(tenant), upload_id)

    async def signed_url(
        self,
        tenant: TenantContext,
        key: str,
        *,
        expires_in: timedelta,
        name: str | None = None,
        content_type: str | None = None,
    ) -> str | None:
        normalise_key(key)
        return None

    async def signed_part_url(
        self, tenant: TenantContext, upload_id: str, number: int, *, expires_in: timedelta
    ) -> str | None:
        (await self.find_upload(tenant, upload_id)).length(number)
        return None

    async def sweep(self, tenant: TenantContext, *, older_than: timedelta = PATIENCE) -> Swept:
        with disk.storing(tenant.slug):
            return await disk.finished(_sweep, self._home(tenant), older_than)

    def _find_home(self, tenant: TenantContext) -> Home:
        tier = self._tiers.get(tenant.tier)
        return Home.of(self._root, tenant, None if tier is None else tier.limits.files)


def _can_begin(prefix: str) -> bool:
    """Whether a key may begin like this: no key leads out of the tenant's folder."""
    folder, slash, _ = prefix.rpartition("/")
    if not slash:
        return True
    with suppress(InvalidKey):
        return normalise_key(folder) == folder
    return False


def _infos(home: Home, keys: Iterable[str]) -> list[FileInfo]:
    """What is known of files; of what was deleted meanwhile, nothing."""
    found = []
    for key in keys:
        with suppress(FileMissing), disk.reading(key):
            found.append(home.info(key))
    return found


def _settle(home: Home, key: str, path: Path, digest: str) -> FileInfo:
    with disk.turn(home.path):
        return home.place(key, path, digest)


def _sweep(home: Home, older_than: timedelta) -> Swept:
    if not home.path.exists():
        return Swept()
    with disk.turn(home.path):
        left = drafts.clear(home.drafts)
        begun = uploads.sweep(home, older_than)
        home.count(home.counted())
    return Swept(left.removed + begun.removed, left.bytes + begun.bytes)


def _in_memory(file: int, at: int, most: int) -> bytes | None:
    """So many bytes at a place, if the system has them in memory; None if it would have to wait."""
    if not _AT_ONCE:
        return None
    buffer = bytearray(most)
    try:
        got = os.preadv(file, [buffer], at, _AT_ONCE)
    except OSError:  # not now, or not on this file system
        return None
    return bytes(buffer) if got == most else None
