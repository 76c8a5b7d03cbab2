"""Where blobs are in each layout, accounts of tenants' own, and settings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mosaic_storage_azureblob.plugin import AzureBlobSettings
from pydantic import ValidationError

from mosaic_core.errors import (
    ConfigurationError,
)
from mosaic_core.testing.isolation import check_storage_isolation
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.storage.tools import chunked, content_of, keys_of
from mosaic_core.testing.storage.uploads import begun, finish
from tests.azurite import OWN, SHARED, Azurite
from tests.plugins.storage_azureblob.opening import LAYOUTS, blobs_of, of_layout, opened


async def _lives(azurite: Azurite, tmp_path: Path, layout: str) -> None:
    ours, theirs = make_tenant(), make_tenant()
    async with opened(tmp_path, of_layout(azurite, layout, ours, theirs)) as storage:
        await check_storage_isolation(storage, ours, theirs)
        upload, content = await begun(storage, ours, "films/a.mp4", parts=2)
        await finish(storage, ours, upload, content)
        await storage.copy(ours, "films/a.mp4", "b.jpg")
        assert await content_of(storage, ours, "b.jpg", 65_000, 66_000) == content[65_000:66_000]
        assert await keys_of(storage, ours) == ["b.jpg", "films/a.mp4"]
        await storage.delete(ours, "films/a.mp4")
        assert await storage.usage(ours) == len(content)
        await storage.drop(ours)
        assert await keys_of(storage, ours) == []
        assert await keys_of(storage, theirs) != []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_live_in_each_layout(azurite: Azurite, tmp_path: Path, layout: str) -> None:
    asyncio.run(_lives(azurite, tmp_path, layout))


def test_each_layout_puts_a_file_where_the_documentation_says(
    azurite: Azurite, tmp_path: Path
) -> None:
    places = {
        "gallery/img1.JPG": "images",
        "report.pdf": "documents",
        "backups/2026/a.pdf": "backups",
        "film.mp4": "media-assets",
        "no ending": "media-assets",
        "images.d/README": "media-assets",
    }

    async def main() -> None:
        acme, globex = make_tenant(slug="acme"), make_tenant(slug="globex")
        settings = of_layout(azurite, "account", acme, globex)
        layouts = {"first": "shared", "second": "container"}
        async with opened(tmp_path, settings | {"layouts": layouts}) as storage:
            first, second = make_tenant(tier="first"), make_tenant(tier="second")
            for tenant in (first, second, acme, globex):
                for key in places:
                    await storage.write(tenant, key, chunked(b"x"))
        shared = await blobs_of(azurite, SHARED)
        for key, container in places.items():
            assert f"{container}/tenant-{first.tenant_id}/{key}" in shared
            assert f"tenant-{second.tenant_id}/{key}" in shared
        for tenant, account in ((acme, OWN[0]), (globex, OWN[1])):
            found = await blobs_of(azurite, account)
            assert f"files/tenant-{tenant.tenant_id}/report.pdf" in found
        names = " ".join([*shared, *await blobs_of(azurite, OWN[0])])
        assert globex.tenant_id not in names

    asyncio.run(main())


def test_a_tenant_without_an_account_is_told_so(azurite: Azurite, tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, azurite.settings("account")) as storage:
            with pytest.raises(ConfigurationError, match=r"No storage account .* 'acme'"):
                await storage.write(make_tenant(slug="acme"), "a", chunked(b"x"))
        async with opened(tmp_path, azurite.settings("container")) as storage:
            with pytest.raises(ConfigurationError, match="cannot be a container's name"):
                await storage.usage(make_tenant(blob_storage_prefix="Not_A_Container"))
        for layout in LAYOUTS:
            async with opened(tmp_path, azurite.settings(layout)) as storage:
                with pytest.raises(ConfigurationError, match="not one name"):
                    await storage.usage(make_tenant(blob_storage_prefix="tenant-a/b"))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give connection_string"),
        ({"connection_string": "a", "account_url": "https://a.b"}, "not both"),
        ({"account_url": "http://example.com"}, "https address"),
        ({"account_url": "https://a.b", "resource_id": "mine"}, "resource_id is that of"),
        ({"connection_string": "a", "account_template": "https://one"}, "{id}, {slug} or {short}"),
        ({"connection_string": "a", "resource_template": "mine/{account}"}, "to {account}"),
        ({"connection_string": "a", "layout": "own"}, "shared"),
        ({"connection_string": "a", "block_size": 1}, "greater than"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AzureBlobSettings.model_validate(given)
    assert words in str(caught.value)


def test_a_connection_string_that_is_none_is_not_shown(tmp_path: Path) -> None:
    async def main() -> None:
        endpoint = "BlobEndpoint=https://example.com/;"
        for secret, words in (
            ("AccountKey=canary-4711", "is no connection string"),
            ("canary", "is no connection string"),
            (f"{endpoint}SharedAccessSignature=sig=canary", "has no AccountKey"),
        ):
            async with opened(tmp_path, {"connection_string": secret, "layouts": {}}) as storage:
                with pytest.raises(ConfigurationError, match=words) as caught:
                    await storage.usage(make_tenant())
            assert "canary" not in str(caught.value)
            assert caught.value.__cause__ is None

    asyncio.run(main())
