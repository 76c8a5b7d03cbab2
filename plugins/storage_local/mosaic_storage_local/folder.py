"""``<data>/files/tenant-<id>/…``: a key is a path, so a person can find a file.

A write goes to a temporary file in the same file system and is renamed when it is complete and on
the disk. Digests are kept beside, in a file of the same name.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import time
import unicodedata
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from mosaic_core.errors import FileMismatch, FileMissing, QuotaExceeded
from mosaic_core.storage import FileInfo, normalise_key
from mosaic_core.tenants import TenantContext, Tier
from mosaic_storage_local import disk

P = ParamSpec("P")
T = TypeVar("T")

_CHUNK = 256 * 1024
#: Seconds after which a draft was left behind by a process that was killed.
_STALE = 24 * 3600


class LocalFolder:
    """Implements :class:`mosaic_core.storage.Storage`.

    Below the tenant's folder, ``content/`` has the files, ``facts/`` their digests, ``drafts/``
    what is being written, and ``lock`` orders changes among processes. A file's facts have its name
    and a dot, which no key can end in.
    """

    def __init__(self, root: Path, tiers: Mapping[str, Tier]) -> None:
        self._root = root
        self._tiers = tiers

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
        limit = self._limit(tenant)
        with disk.storing(key):
            room = None if limit is None else limit - await asyncio.to_thread(_others, home, key)
            if room is not None and (size or 0) > room:
                raise _full(tenant)
            draft = await asyncio.to_thread(_new_draft, home)
            file = draft.open("xb")
        try:
            written, found = 0, hashlib.sha256()
            try:
                async for chunk in chunks:
                    written += len(chunk)
                    if room is not None and written > room:
                        raise _full(tenant)
                    if size is not None and written > size:
                        break
                    found.update(chunk)
                    with disk.storing(key):
                        await asyncio.to_thread(file.write, chunk)
                with disk.storing(key):
                    await asyncio.to_thread(disk.sync, file)
            finally:
                with disk.storing(key):
                    file.close()
            if size not in (None, written) or digest not in (None, found.hexdigest()):
                raise FileMismatch(
                    f"{key!r} is not the file that was announced: of {size} bytes {written} came, "
                    f"with the digest {found.hexdigest()} (announced: {digest}).",
                    hint="Send it again.",
                )
            with disk.storing(key):
                return await _finished(self._settle, tenant, key, draft, found.hexdigest())
        finally:
            draft.unlink(missing_ok=True)
            draft.with_suffix(".json").unlink(missing_ok=True)

    def _settle(self, tenant: TenantContext, key: str, draft: Path, digest: str) -> FileInfo:
        home = self._home(tenant)
        path, facts = _path(home, key), _facts(home, key)
        size, stamp = draft.stat().st_size, draft.stat().st_mtime_ns
        noted = draft.with_suffix(".json")
        noted.write_text(json.dumps({"digest": digest, "size": size, "stamp": stamp}))
        with disk.turn(home):
            # Others may have written since the upload began.
            limit = self._limit(tenant)
            if limit is not None and size > limit - _others(home, key):
                raise _full(tenant)
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(path)
            facts.parent.mkdir(parents=True, exist_ok=True)
            # The facts name the file that they describe; a crash between the two renames leaves
            # facts that do not fit, and the digest is then computed from the content.
            os.replace(noted, facts)
            os.replace(draft, path)
            for folder in {path.parent, facts.parent}:
                disk.sync_folder(folder)
        return FileInfo(key, size, digest, disk.instant(stamp))

    async def read(
        self, tenant: TenantContext, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        key = normalise_key(key)
        path = _path(self._home(tenant), key)
        left = math.inf if end is None else max(end - start, 0)
        with disk.reading(key):
            file, chunk = await asyncio.to_thread(_opened, path, start, min(left, _CHUNK))
        with file:
            while chunk:
                yield chunk
                left -= len(chunk)
                if left <= 0 or len(chunk) < _CHUNK:  # a short chunk is a file's last
                    break
                with disk.reading(key):
                    chunk = await asyncio.to_thread(file.read, int(min(left, _CHUNK)))

    async def stat(self, tenant: TenantContext, key: str) -> FileInfo:
        key = normalise_key(key)
        with disk.reading(key):
            return await asyncio.to_thread(_info, self._home(tenant), key)

    async def delete(self, tenant: TenantContext, key: str) -> None:
        key = normalise_key(key)
        with disk.storing(key):
            await _finished(_delete, self._home(tenant), key)

    async def copy(self, tenant: TenantContext, source: str, target: str) -> FileInfo:
        info = await self.stat(tenant, source)
        return await self.write(
            tenant, target, self.read(tenant, source), size=info.size, digest=info.digest
        )

    async def list(self, tenant: TenantContext, prefix: str = "") -> AsyncIterator[FileInfo]:
        home, prefix = self._home(tenant), unicodedata.normalize("NFC", prefix)
        with disk.reading(prefix):
            sizes = await asyncio.to_thread(disk.sizes, home / "content")
        for key in sorted(key for key in sizes if key.startswith(prefix)):
            # What is deleted meanwhile is not in the list.
            with suppress(FileMissing), disk.reading(key):
                yield await asyncio.to_thread(_info, home, key)

    async def usage(self, tenant: TenantContext) -> int:
        with disk.reading(tenant.slug):
            sizes = await asyncio.to_thread(disk.sizes, self._home(tenant) / "content")
        return sum(sizes.values())

    async def drop(self, tenant: TenantContext) -> None:
        with disk.storing(tenant.slug):
            await _finished(disk.remove, self._home(tenant))

    def _limit(self, tenant: TenantContext) -> int | None:
        tier = self._tiers.get(tenant.tier)
        return None if tier is None else tier.limits.files

    def _home(self, tenant: TenantContext) -> Path:
        return self._root / normalise_key(tenant.blob_storage_prefix)


def _path(home: Path, key: str) -> Path:
    return home / "content" / key


def _facts(home: Path, key: str) -> Path:
    return home / "facts" / f"{key}."


async def _finished(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs ``function`` in a thread and is cancelled only once it has ended."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _opened(path: Path, start: int, most: float) -> tuple[BinaryIO, bytes]:
    """A file and its first bytes from ``start`` on: of most files, all that is read of them."""
    file = path.open("rb")
    try:
        file.seek(start)
        return file, file.read(int(most))
    except BaseException:
        file.close()
        raise


def _new_draft(home: Path) -> Path:
    """A name for a new draft; what killed processes left is cleared away."""
    folder = home / "drafts"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - _STALE:
                left.unlink()
    return folder / uuid.uuid4().hex


def _others(home: Path, key: str) -> int:
    """Bytes of the tenant's files, ``key`` excepted."""
    sizes = disk.sizes(home / "content")
    return sum(sizes.values()) - sizes.get(key, 0)


def _info(home: Path, key: str) -> FileInfo:
    path = _path(home, key)
    found = path.stat()
    if not path.is_file():
        raise IsADirectoryError(path)
    try:
        facts = json.loads(_facts(home, key).read_text())
    except (OSError, ValueError):
        facts = {}
    if facts.get("size") == found.st_size and facts.get("stamp") == found.st_mtime_ns:
        digest = str(facts["digest"])
    else:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileInfo(key, found.st_size, digest, disk.instant(found.st_mtime_ns))


def _delete(home: Path, key: str) -> None:
    path = _path(home, key)
    if not path.is_file():
        return
    with disk.turn(home):
        for file in (path, _facts(home, key)):
            file.unlink(missing_ok=True)
            disk.prune(file.parent, home)


def _full(tenant: TenantContext) -> QuotaExceeded:
    return QuotaExceeded(
        f"The files of {tenant.slug!r} are at the {tenant.tier} tier's limit.",
        hint="Delete some, or move up a tier.",
    )
