"""Looks at files that came in, wherever they lie: a few at a time, in threads."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterable
from pathlib import Path

from mosaic_cms.incoming import Incoming
from mosaic_cms.media.checks import Checked, Rules, check
from mosaic_cms.media.films import without
from mosaic_cms.media.stored_file import stored_file
from mosaic_cms.pictures.library import ImageLibrary
from mosaic_core.storage import FileInfo, Storage
from mosaic_core.tenants import TenantContext

#: Files that are looked at at one time: a picture is in memory then.
_AT_ONCE = 2


class Inspector:
    """Looks at stored files, a few at a time."""

    def __init__(self, library: ImageLibrary) -> None:
        self._library = library
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def look(
        self, storage: Storage, tenant: TenantContext, info: FileInfo, name: str, rules: Rules
    ) -> Checked:
        """Checks a stored file, and puts the content in its place that may be shown.

        Raises:
            InvalidInput: it is not let in.
        """
        async with self._turns:
            file = stored_file(storage, tenant, info)
            checked = await asyncio.to_thread(
                check, file, info.size, info.digest, name, rules, self._library
            )
            if checked.content is None and not checked.noted:
                return checked
            return await put(storage, tenant, info.key, checked, storage.read(tenant, info.key))

    async def look_at(self, path: Path, size: int, digest: str, rules: Rules) -> Checked:
        """Checks a file on this machine, which stays as it is.

        Raises:
            InvalidInput: it is not let in.
        """

        def opened() -> Checked:
            with path.open("rb") as file:
                return check(file, size, digest, path.name, rules, self._library)

        async with self._turns:
            return await asyncio.to_thread(opened)


async def put(
    storage: Storage, tenant: TenantContext, key: str, checked: Checked, came: AsyncIterable[bytes]
) -> Checked:
    """Stores what may be shown of a file that was looked at, and says how it is stored.

    Args:
        came: the file as it came.
    """
    chunks, digest = came, None if checked.noted else checked.digest
    if checked.noted:
        chunks = without(came, checked.noted)
    elif checked.content is not None:
        chunks = Incoming.of(checked.content)
    info = await storage.write(tenant, key, chunks, size=checked.size, digest=digest)
    return dataclasses.replace(checked, content=None, digest=info.digest, noted=())
