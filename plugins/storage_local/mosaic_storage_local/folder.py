"""``<data>/files/tenant-<id>/…``: a key is a path, so a person can find a file.

A write goes to a temporary file in the same file system and is renamed when it is complete and on
the disk. Digests are kept beside, in a hidden file of the same name.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mosaic_core.errors import (
    DiskFull,
    FileMismatch,
    FileMissing,
    QuotaExceeded,
    StorageError,
)
from mosaic_core.storage import FileInfo, normalise_key
from mosaic_core.tenants import TenantContext, Tier

_CHUNK = 256 * 1024


class LocalFolder:
    """Implements :class:`mosaic_core.storage.Storage`.

    Below the tenant's folder, ``content/`` has the files, ``facts/`` their digests and ``drafts/``
    what is being written. A file's facts have its name and a dot, which no key can end in.
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
        draft = home / "drafts" / uuid.uuid4().hex
        room = await self._room(tenant, key)
        hasher, written = hashlib.sha256(), 0
        with _translating(key):
            draft.parent.mkdir(parents=True, exist_ok=True)
            try:
                with draft.open("xb") as file:
                    async for chunk in chunks:
                        written += len(chunk)
                        if room is not None and written > room:
                            raise _full(tenant)
                        hasher.update(chunk)
                        await asyncio.to_thread(file.write, chunk)
                    await asyncio.to_thread(_sync, file.fileno())
                found = hasher.hexdigest()
                if size not in (None, written) or digest not in (None, found):
                    raise FileMismatch(
                        f"{key!r} was announced with {size} bytes and the digest {digest}; "
                        f"{written} bytes with {found} came.",
                        hint="Send it again.",
                    )
                return await asyncio.to_thread(self._settle, home, key, draft, written, found)
            finally:
                draft.unlink(missing_ok=True)

    def _settle(self, home: Path, key: str, draft: Path, size: int, digest: str) -> FileInfo:
        path, facts = home / "content" / key, home / "facts" / f"{key}."
        path.parent.mkdir(parents=True, exist_ok=True)
        facts.parent.mkdir(parents=True, exist_ok=True)
        stamp = draft.stat().st_mtime_ns
        noted = draft.with_suffix(".json")
        noted.write_text(json.dumps({"digest": digest, "size": size, "stamp": stamp}))
        # The facts name the file that they describe; a crash between the two renames leaves facts
        # that do not fit, and the digest is then computed from the content.
        os.replace(noted, facts)
        os.replace(draft, path)
        for folder in {path.parent, facts.parent}:
            _sync_folder(folder)
        return FileInfo(key, size, digest, _time(stamp))

    async def read(
        self, tenant: TenantContext, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        path = self._path(tenant, key)
        with _translating(key):
            file = await asyncio.to_thread(path.open, "rb")
            try:
                file.seek(start)
                left = None if end is None else max(end - start, 0)
                while left is None or left > 0:
                    most = _CHUNK if left is None else min(left, _CHUNK)
                    chunk = await asyncio.to_thread(file.read, most)
                    if not chunk:
                        break
                    if left is not None:
                        left -= len(chunk)
                    yield chunk
            finally:
                file.close()

    async def stat(self, tenant: TenantContext, key: str) -> FileInfo:
        key = normalise_key(key)
        with _translating(key):
            return await asyncio.to_thread(self._info, self._home(tenant), key)

    def _info(self, home: Path, key: str) -> FileInfo:
        path = home / "content" / key
        found = path.stat()
        if not path.is_file():
            raise _missing(key)
        try:
            facts = json.loads((home / "facts" / f"{key}.").read_text())
        except (OSError, ValueError):
            facts = {}
        if facts.get("size") == found.st_size and facts.get("stamp") == found.st_mtime_ns:
            digest = str(facts["digest"])
        else:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileInfo(key, found.st_size, digest, _time(found.st_mtime_ns))

    async def delete(self, tenant: TenantContext, key: str) -> None:
        key = normalise_key(key)
        home = self._home(tenant)
        with _translating(key):
            (home / "content" / key).unlink(missing_ok=True)
            (home / "facts" / f"{key}.").unlink(missing_ok=True)

    async def copy(self, tenant: TenantContext, source: str, target: str) -> FileInfo:
        info = await self.stat(tenant, source)
        return await self.write(
            tenant, target, self.read(tenant, source), size=info.size, digest=info.digest
        )

    async def list(self, tenant: TenantContext, prefix: str = "") -> AsyncIterator[FileInfo]:
        home = self._home(tenant)
        with _translating(prefix):
            for key in await asyncio.to_thread(_keys, home / "content"):
                if key.startswith(prefix):
                    yield await asyncio.to_thread(self._info, home, key)

    async def usage(self, tenant: TenantContext) -> int:
        return await asyncio.to_thread(_bytes, self._home(tenant) / "content")

    async def drop(self, tenant: TenantContext) -> None:
        with _translating(tenant.slug):
            await asyncio.to_thread(shutil.rmtree, self._home(tenant), ignore_errors=True)

    async def _room(self, tenant: TenantContext, key: str) -> int | None:
        tier = self._tiers.get(tenant.tier)
        if tier is None or tier.limits.files is None:
            return None
        path = self._home(tenant) / "content" / key
        replaced = path.stat().st_size if path.is_file() else 0
        return int(tier.limits.files) - await self.usage(tenant) + replaced

    def _home(self, tenant: TenantContext) -> Path:
        return self._root / normalise_key(tenant.blob_storage_prefix)

    def _path(self, tenant: TenantContext, key: str) -> Path:
        return self._home(tenant) / "content" / normalise_key(key)


def _keys(content: Path) -> list[str]:
    return sorted(
        path.relative_to(content).as_posix() for path in content.rglob("*") if path.is_file()
    )


def _bytes(content: Path) -> int:
    total = 0
    for folder, _, names in os.walk(content):
        for name in names:
            total += os.stat(os.path.join(folder, name)).st_size
    return total


def _sync(handle: int) -> None:
    os.fsync(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _time(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp / 1e9, UTC)


@contextmanager
def _translating(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise _missing(key) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"The disk has no room for {key!r}.", hint="Free some space, then send it again."
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise StorageError(
                f"The folder of files cannot be written: {key!r} was not stored.",
                hint="Give this user the right to write the data folder.",
            ) from error
        raise StorageError(f"{key!r}: {error.strerror}.") from error


def _missing(key: str) -> FileMissing:
    return FileMissing(f"There is no file {key!r}.")


def _full(tenant: TenantContext) -> QuotaExceeded:
    return QuotaExceeded(
        f"The files of {tenant.slug!r} are at the {tenant.tier} tier's limit.",
        hint="Delete some, or move up a tier.",
    )
