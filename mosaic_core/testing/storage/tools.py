"""What the tests of storage have in common."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from mosaic_core.errors import (
    FileMissing,
)
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext


async def chunked(content: bytes, size: int = 7_000) -> AsyncIterator[bytes]:
    """The content in chunks of ``size`` bytes, as an upload brings it."""
    for start in range(0, len(content), size):
        yield content[start : start + size]
        await asyncio.sleep(0)


async def content_of(
    storage: Storage, tenant: TenantContext, key: str, start: int = 0, end: int | None = None
) -> bytes:
    """What ``read`` streams, joined."""
    return b"".join([chunk async for chunk in storage.read(tenant, key, start=start, end=end)])


async def keys_of(storage: Storage, tenant: TenantContext, prefix: str = "") -> list[str]:
    """The keys in the order in which ``list`` gives them."""
    return [info.key async for info in storage.list(tenant, prefix)]


async def leased(storage: Storage, tenant: TenantContext, key: str) -> bool:
    """Whether the lease of a key is to be had."""
    async with storage.lease(tenant, key) as ours:
        return ours


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def assert_nothing(storage: Storage, tenant: TenantContext, key: str) -> None:
    """Nothing of the file is there to be seen in any way, nor counted."""
    await unseen(storage, tenant, key)
    assert await storage.usage(tenant) == 0


async def unseen(storage: Storage, tenant: TenantContext, key: str) -> None:
    """Nothing of the file is there to be seen."""
    with pytest.raises(FileMissing):
        await storage.stat(tenant, key)
    with pytest.raises(FileMissing):
        await content_of(storage, tenant, key)
    assert key not in await keys_of(storage, tenant)
