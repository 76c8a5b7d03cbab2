"""Opening the plugin against the emulator, and looking at what is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from azure.storage.blob.aio import BlobServiceClient
from mosaic_storage_azureblob.plugin import AzureBlobSettings, mosaic_storage

from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.services import make_services
from tests.azurite import OWN, Azurite

PROVIDER = mosaic_storage()
LAYOUTS = ("shared", "container", "account")
SOON = timedelta(minutes=5)


@asynccontextmanager
async def opened(folder: Path, settings: dict[str, Any]) -> AsyncIterator[Storage]:
    given = AzureBlobSettings.model_validate(settings)
    async with PROVIDER.open(given, make_services(folder)) as storage:
        yield storage


def of_layout(azurite: Azurite, layout: str, *tenants: TenantContext) -> dict[str, Any]:
    """Settings with an account for each tenant where the layout needs one."""
    accounts = {t.slug: azurite.connection(OWN[n]) for n, t in enumerate(tenants)}
    return azurite.settings(layout, accounts=accounts if layout == "account" else {})


async def blobs_of(azurite: Azurite, account: str) -> list[str]:
    """Container and name of every blob of an account, as its owner sees them."""
    found = []
    async with BlobServiceClient.from_connection_string(azurite.connection(account)) as service:
        async for container in service.list_containers():
            client = service.get_container_client(container.name)
            async for blob in client.list_blobs(include=["uncommittedblobs"]):
                found.append(f"{container.name}/{blob.name}")
    return sorted(found)
