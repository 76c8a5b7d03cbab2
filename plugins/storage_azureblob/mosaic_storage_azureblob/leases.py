"""Who makes the file of a key: whoever has the lease of a small blob that stands for it.

A lease ends by itself when nobody renews it, by the service's clock (Lease Blob, REST reference):
so a process that was killed is in nobody's way for long.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.blob.aio import BlobClient, BlobLeaseClient

from mosaic_core.errors import FileMissing
from mosaic_core.storage import LEASE
from mosaic_storage_azureblob import placing
from mosaic_storage_azureblob.errors import code_of, is_missing, translated
from mosaic_storage_azureblob.layout import Space

_LEASES = "leases/"
_SECONDS = int(LEASE.total_seconds())
#: Somebody else has the lease, for one who asks for it and for one who would change the blob.
_TAKEN, _NOT_OURS = "LeaseAlreadyPresent", "LeaseIdMissing"


@asynccontextmanager
async def leased(space: Space, key: str) -> AsyncIterator[bool]:
    """Whether the lease of a key was to be had; it is the caller's then until this ends."""
    name = f"{_LEASES}{hashlib.sha256(key.encode()).hexdigest()}"
    blob = space.aside(name)
    with translated(key):
        lease = await _acquire(space, blob)
    if lease is None:
        yield False
        return
    renewing = asyncio.create_task(_renew(lease))
    try:
        yield True
    finally:
        renewing.cancel()
        await placing.finished(_end(space, blob, name, lease))


async def _acquire(space: Space, blob: BlobClient) -> BlobLeaseClient | None:
    """The lease of a blob, which is made where it is not there; None while another has it."""
    mine = str(uuid.uuid4())  # so that it is ours, too, when the first answer was lost
    while True:
        try:
            return await blob.acquire_lease(_SECONDS, lease_id=mine)
        except HttpResponseError as error:
            if code_of(error) == _TAKEN:
                return None
            if not is_missing(error):
                raise
        try:
            await placing.made(space, blob, lambda: blob.upload_blob(b""))
        except HttpResponseError as error:  # another was first
            if not isinstance(error, ResourceExistsError) and code_of(error) != _NOT_OURS:
                raise


async def _renew(lease: BlobLeaseClient) -> None:
    while True:
        await asyncio.sleep(_SECONDS / 3)
        with suppress(AzureError):  # there is time for another attempt
            await lease.renew()


async def _end(space: Space, blob: BlobClient, name: str, lease: BlobLeaseClient) -> None:
    with suppress(AzureError):  # it ends by itself then, and a sweep removes the blob
        await blob.delete_blob(lease=lease)
        await placing.remove_versions(space.container(space.home), space.beginning_aside(name))


async def clear(space: Space) -> int:
    """Removes what processes left that were killed; how many leases that were."""
    container, removed = space.container(space.home), 0
    with suppress(FileMissing), translated(_LEASES):  # not even the container may be there
        beginning = space.beginning_aside(_LEASES)
        for name in [blob.name async for blob in container.list_blobs(beginning)]:
            try:
                await container.delete_blob(name)
            except HttpResponseError as error:
                if code_of(error) != _NOT_OURS and not is_missing(error):
                    raise
            else:
                removed += 1
        await placing.remove_versions(container, beginning)
    return removed
