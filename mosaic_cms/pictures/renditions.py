"""Renditions: made when they are first asked for, once, and stored beside the file that they are
made of.

Whoever makes one has its lease from the storage, which is one for all processes; the others look
again and again until it is there. The lease of one that was killed ends by itself, and for one that
hangs nobody waits longer than a minute: making it twice is no fault, as a write is seen when it is
complete. What cannot be made is not tried again for a while; pages show the original instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from mosaic_cms.incoming import Incoming
from mosaic_cms.pictures.library import ImageLibrary
from mosaic_cms.pictures.picture import Wanted, made_in
from mosaic_core.errors import FileMissing, InvalidInput, MosaicError
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext

_log = logging.getLogger("mosaic.pictures")
#: Threads that make renditions at one time; the library has more of its own.
_MOST_AT_ONCE = 2
#: Seconds between two looks at what another process makes, at first and at most, and until it is
#: made here as well.
_LOOK, _LONGEST_LOOK, _WAIT = 0.05, 0.5, 60.0
#: Bytes of a file that is read into memory to be rendered.
_MOST_BYTES = 64 * 1024 * 1024
#: Seconds for which what could not be made is not tried again: for a fault of the file, and for any
#: other, which may pass.
_PATIENCE, _SHORT_PATIENCE = 600.0, 30.0
#: Files remembered that could not be rendered.
_MOST_REFUSED = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """A stored file: its key, and its size in bytes."""

    key: str
    size: int


class Renditions:
    """Finds, makes and removes them, through the storage of the tenant that they belong to."""

    def __init__(self, library: ImageLibrary | None = None) -> None:
        self._library = library or ImageLibrary()
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)
        self._making: dict[tuple[str, str], asyncio.Task[bytes | None]] = {}
        self._refused: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def get(
        self, storage: Storage, tenant: TenantContext, source: Source, wanted: Wanted
    ) -> bytes | None:
        """A rendition, made now if nobody asked for it before; None when it cannot be made, and
        the log says why."""
        key = wanted.key(source.key)
        with contextlib.suppress(FileMissing):
            return await content_of(storage, tenant, key)
        if self._refused.get((tenant.tenant_id, source.key), 0.0) > time.monotonic():
            return None
        job = tenant.tenant_id, key
        task = self._making.get(job)
        if task is None:
            task = asyncio.create_task(self._make(storage, tenant, source, wanted))
            self._making[job] = task
            task.add_done_callback(lambda _: self._making.pop(job, None))
        # Whoever goes away does not stop it for the others.
        return await asyncio.shield(task)

    async def remove(self, storage: Storage, tenant: TenantContext, keys: Iterable[str]) -> int:
        """Removes what was made of stored files that are gone, by the files' keys; returns how
        many renditions there were."""
        count = 0
        for folder in sorted({key.rpartition("/")[0] for key in keys}):
            # Each folder by itself: a library has many others.
            beside = [info.key async for info in storage.list(tenant, f"{folder}/")]
            for key in beside:
                if made_in(key) == folder:
                    await storage.delete(tenant, key)
                    count += 1
        return count

    async def _make(
        self, storage: Storage, tenant: TenantContext, source: Source, wanted: Wanted
    ) -> bytes | None:
        patience = _SHORT_PATIENCE
        try:
            return await self._made(storage, tenant, source, wanted)
        except MosaicError as error:
            _log.warning("%s: no renditions of %s: %s", tenant.slug, source.key, error)
            patience = _PATIENCE if isinstance(error, InvalidInput) else patience
        except Exception:  # noqa: BLE001 - a fault of the library is not the visitor's
            _log.exception("%s: no renditions of %s", tenant.slug, source.key)
        self._refuse(tenant, source, patience)
        return None

    async def _made(
        self, storage: Storage, tenant: TenantContext, source: Source, wanted: Wanted
    ) -> bytes:
        """A rendition, made here unless another process makes it."""
        key, look, until = wanted.key(source.key), _LOOK, time.monotonic() + _WAIT
        while True:
            # A turn is taken first, so that a lease is held while something is made, and no longer.
            async with self._turns, storage.lease(tenant, key) as ours:
                with contextlib.suppress(FileMissing):  # somebody else has made it meanwhile
                    return await content_of(storage, tenant, key)
                if ours or time.monotonic() > until:
                    return await self._render(storage, tenant, source, wanted)
            await asyncio.sleep(look)
            look = min(2 * look, _LONGEST_LOOK)

    async def _render(
        self, storage: Storage, tenant: TenantContext, source: Source, wanted: Wanted
    ) -> bytes:
        """Makes a rendition and stores it."""
        if source.size > _MOST_BYTES:
            raise InvalidInput(f"It has {source.size:,} bytes: too many to be rendered.")
        content, key = await content_of(storage, tenant, source.key), wanted.key(source.key)
        made = await asyncio.to_thread(self._library.render, content, wanted)
        digest = hashlib.sha256(made).hexdigest()
        await storage.write(tenant, key, Incoming.of(made), size=len(made), digest=digest)
        try:
            await storage.stat(tenant, source.key)
        except FileMissing:  # what was made of a file that was deleted meanwhile goes after it
            await storage.delete(tenant, key)
        return made

    def _refuse(self, tenant: TenantContext, source: Source, patience: float) -> None:
        self._refused[tenant.tenant_id, source.key] = time.monotonic() + patience
        while len(self._refused) > _MOST_REFUSED:
            self._refused.popitem(last=False)


async def content_of(storage: Storage, tenant: TenantContext, key: str) -> bytes:
    """All of a stored file.

    Raises:
        FileMissing: there is no such key.
    """
    return b"".join([chunk async for chunk in storage.read(tenant, key)])
