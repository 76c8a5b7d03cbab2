"""Tenants' files as blobs: the storage contract on Azure Blob Storage."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from urllib.parse import quote

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobProperties, BlobSasPermissions

from mosaic_core.errors import FileMismatch, FileMissing
from mosaic_core.storage import PATIENCE, FileInfo, Swept, Upload, normalise_key
from mosaic_core.tenants import TenantContext, Tier
from mosaic_storage_azureblob import placing, uploads
from mosaic_storage_azureblob.accounts import Accounts
from mosaic_storage_azureblob.errors import code_of, translated
from mosaic_storage_azureblob.layout import Space, space_of
from mosaic_storage_azureblob.leases import leased
from mosaic_storage_azureblob.ledger import Ledger, Ledgers
from mosaic_storage_azureblob.plugin import AzureBlobSettings
from mosaic_storage_azureblob.streaming import stream

#: Files of one page of a list. The client reads a page in the event loop's thread: so few of them
#: that nobody whom the process serves waits long.
_PAGE = 200


class AzureBlobs:
    """Implements :class:`mosaic_core.storage.Storage`."""

    def __init__(
        self, settings: AzureBlobSettings, accounts: Accounts, tiers: Mapping[str, Tier]
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._tiers = tiers
        self._ledgers = Ledgers()

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
        space, ledger = self._of(tenant)
        if ledger.limit is not None and (size or 0) > ledger.limit:
            raise ledger.full()
        async with stream(space, ledger, key, self._settings.block_size) as receiving:
            async for chunk in chunks:
                await receiving.take(chunk)
                if size is not None and receiving.size > size:
                    break
            found = receiving.digest
            if size not in (None, receiving.size) or digest not in (None, found):
                raise FileMismatch(
                    f"{key!r} is not the file that was announced: of {size} bytes "
                    f"{receiving.size} came, with the digest {found} (announced: {digest}).",
                    hint="Send it again.",
                )
            send = await receiving.complete()
            placed = placing.put_in_place(
                space, ledger, key, size=receiving.size, digest=found, send=send
            )
            return await placing.finished(placed)

    async def read(
        self, tenant: TenantContext, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        key = normalise_key(key)
        if end is not None and end <= start:
            await self.stat(tenant, key)
            return
        blob = self._space(tenant).file(key)
        length = None if end is None else end - start
        with translated(key):
            try:
                found = await blob.download_blob(offset=start, length=length)
            except HttpResponseError as error:
                if code_of(error) == "InvalidRange":  # from beyond its end
                    return
                raise
        chunks = aiter(found.chunks())
        while True:
            with translated(key):
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
            if chunk:
                yield chunk

    async def stat(self, tenant: TenantContext, key: str) -> FileInfo:
        space, key = self._space(tenant), normalise_key(key)
        found = await placing.find(space.file(key), key)
        if found is None:
            raise FileMissing(f"There is no file {key!r}.")
        return await _info(space, key, found)

    async def delete(self, tenant: TenantContext, key: str) -> None:
        key = normalise_key(key)
        space, ledger = self._of(tenant)
        await placing.finished(placing.take_away(space, ledger, key))

    async def copy(self, tenant: TenantContext, source: str, target: str) -> FileInfo:
        source, target = normalise_key(source), normalise_key(target)
        info = await self.stat(tenant, source)
        space, ledger = self._of(tenant)
        send = placing.copying(space.file(source), space, info.size)
        placed = placing.put_in_place(
            space, ledger, target, size=info.size, digest=info.digest, send=send
        )
        return await placing.finished(placed)

    async def list(self, tenant: TenantContext, prefix: str = "") -> AsyncIterator[FileInfo]:
        space, prefix = self._space(tenant), unicodedata.normalize("NFC", prefix)
        found = [(key, blob) async for key, blob in _files(space, prefix, details=["metadata"])]
        # The service's order is not that of Python's strings, and there may be several containers.
        for key, blob in sorted(found, key=lambda pair: pair[0]):
            yield await _info(space, key, blob)

    async def usage(self, tenant: TenantContext) -> int:
        _, ledger = self._of(tenant)
        return (await ledger.read()).total

    async def drop(self, tenant: TenantContext) -> None:
        await placing.finished(_dropped(self._space(tenant)))

    def place(self, tenant: TenantContext) -> str:
        space = self._space(tenant)
        return f"{space.account.service.primary_endpoint} {' '.join(space.containers)} {space.base}"

    def lease(self, tenant: TenantContext, key: str) -> AbstractAsyncContextManager[bool]:
        return leased(self._space(tenant), normalise_key(key))

    async def begin_upload(
        self, tenant: TenantContext, key: str, *, size: int, digest: str | None = None
    ) -> Upload:
        key = normalise_key(key)
        _, ledger = self._of(tenant)
        return await uploads.begin(ledger, key, size, digest, self._settings.block_size)

    async def find_upload(self, tenant: TenantContext, upload_id: str) -> Upload:
        space, ledger = self._of(tenant)
        return await uploads.find(space, ledger, upload_id)

    async def write_part(
        self, tenant: TenantContext, upload_id: str, number: int, chunks: AsyncIterable[bytes]
    ) -> None:
        space, ledger = self._of(tenant)
        await uploads.write_part(space, ledger, upload_id, number, chunks)

    async def finish_upload(self, tenant: TenantContext, upload_id: str) -> FileInfo:
        space, ledger = self._of(tenant)
        return await placing.finished(uploads.finish(space, ledger, upload_id))

    async def abort_upload(self, tenant: TenantContext, upload_id: str) -> None:
        space, ledger = self._of(tenant)
        await placing.finished(uploads.abort(space, ledger, upload_id))

    async def signed_url(
        self,
        tenant: TenantContext,
        key: str,
        *,
        expires_in: timedelta,
        name: str | None = None,
        content_type: str | None = None,
    ) -> str | None:
        space, key = self._space(tenant), normalise_key(key)
        disposition = None if name is None else f"attachment; filename*=UTF-8''{quote(name, '')}"
        return await space.account.signed(
            space.file(key),
            BlobSasPermissions(read=True),
            expires_in,
            disposition=disposition,
            content_type=content_type,
        )

    async def signed_part_url(
        self, tenant: TenantContext, upload_id: str, number: int, *, expires_in: timedelta
    ) -> str | None:
        space, ledger = self._of(tenant)
        return await uploads.signed_part(space, ledger, upload_id, number, expires_in)

    async def sweep(self, tenant: TenantContext, *, older_than: timedelta = PATIENCE) -> Swept:
        space, ledger = self._of(tenant)
        before = time.time() - older_than.total_seconds()
        return await placing.finished(uploads.sweep(space, ledger, before))

    def _space(self, tenant: TenantContext) -> Space:
        return space_of(self._settings, self._accounts, tenant)

    def _of(self, tenant: TenantContext) -> tuple[Space, Ledger]:
        space = self._space(tenant)
        tier = self._tiers.get(tenant.tier)
        limit = None if tier is None else tier.limits.files
        return space, self._ledgers.of(space, tenant, limit, partial(_counted, space))


async def _files(
    space: Space, prefix: str = "", *, details: list[str] | None = None
) -> AsyncIterator[tuple[str, BlobProperties]]:
    """Every file with its key, container by container."""
    for name in space.containers:
        blobs = space.container(name).list_blobs(
            space.beginning(prefix), include=details, results_per_page=_PAGE
        )
        with translated(name):
            try:
                async for blob in blobs:
                    key = space.key_of(blob.name)
                    if key is not None:
                        yield key, blob
            except ResourceNotFoundError:  # nothing was stored there yet
                continue


async def _counted(space: Space) -> int:
    return sum([int(blob.size) async for _, blob in _files(space)])


async def _dropped(space: Space) -> None:
    with translated(space.base):
        for name in space.containers:
            container = space.container(name)
            try:
                found = [
                    blob.name
                    async for blob in container.list_blobs(
                        space.beginning(), include=["uncommittedblobs"], results_per_page=_PAGE
                    )
                ]
            except ResourceNotFoundError:
                continue
            for blob in found:
                await placing.remove(container.get_blob_client(blob))
            await placing.remove_versions(container, space.beginning())


async def _info(space: Space, key: str, found: BlobProperties) -> FileInfo:
    digest = (found.metadata or {}).get(placing.DIGEST)
    if digest is None:  # somebody put it there by other means
        digest = await uploads.digest_of(space.file(key), key)
    return FileInfo(key, int(found.size), digest, found.last_modified)
