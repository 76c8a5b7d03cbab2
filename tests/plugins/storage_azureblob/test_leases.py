"""Leases: for as long as their process lives, and for seconds after it died."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from mosaic_storage_azureblob.blobs import AzureBlobs

from mosaic_core.storage import LEASE
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.storage.tools import leased
from tests.azurite import SHARED, Azurite
from tests.plugins.storage_azureblob.opening import blobs_of, opened


def test_a_sweep_removes_leases_that_nobody_has_any_more(azurite: Azurite, tmp_path: Path) -> None:
    async def main() -> None:
        tenant, settings = make_tenant(), azurite.settings("container")
        async with opened(tmp_path, settings) as storage:
            assert isinstance(storage, AzureBlobs)
            async with storage.lease(tenant, "a.webp"):
                await storage._space(tenant).aside("leases/left").upload_blob(b"")
                assert (await storage.sweep(tenant)).removed == 1
                assert not await leased(storage, tenant, "a.webp")
            assert (await storage.sweep(tenant, older_than=timedelta(0))).removed == 0
        assert not [name for name in await blobs_of(azurite, SHARED) if "/leases/" in name]

    asyncio.run(main())


@pytest.mark.campaign
def test_a_lease_lasts_as_long_as_its_process_and_seconds_more(
    azurite: Azurite, tmp_path: Path
) -> None:
    async def main() -> None:
        tenant, settings = make_tenant(), azurite.settings("container")
        longer = LEASE.total_seconds() + 3
        async with opened(tmp_path, settings) as storage, AsyncExitStack() as other:
            lease = await other.enter_async_context(opened(tmp_path, settings))
            assert await leased(lease, tenant, "a.webp")
            async with lease.lease(tenant, "a.webp"):
                await asyncio.sleep(longer)
                assert not await leased(storage, tenant, "a.webp")
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()  # what would have renewed it died
                await asyncio.sleep(longer)
                assert await leased(storage, tenant, "a.webp")

    asyncio.run(main())
