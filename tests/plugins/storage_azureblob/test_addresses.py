"""Signed addresses: for reading a file, and for sending parts straight to the account."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from mosaic_core.errors import (
    FileMismatch,
    FileMissing,
    InvalidInput,
)
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.storage.tools import chunked, content_of, digest_of, keys_of
from mosaic_core.testing.storage.uploads import begun
from tests.azurite import SHARED, Azurite
from tests.plugins.storage_azureblob.opening import SOON, blobs_of, opened


def test_a_signed_address_reads_one_file_for_a_while(azurite: Azurite, tmp_path: Path) -> None:
    async def main() -> None:
        tenant = make_tenant()
        async with opened(tmp_path, azurite.settings("shared")) as storage:
            await storage.write(tenant, "häuser/a b.pdf", chunked(b"content"))
            await storage.write(tenant, "other.pdf", chunked(b"other"))
            url = await storage.signed_url(
                tenant, "häuser/a b.pdf", expires_in=SOON, name="Häuser.pdf", content_type="x/y"
            )
            assert url is not None
            found = httpx.get(url)
            assert (found.status_code, found.content) == (200, b"content")
            assert found.headers["content-type"] == "x/y"
            assert "H%C3%A4user.pdf" in found.headers["content-disposition"]
            for change in (("a%20b.pdf", "other.pdf"), ("sp=r", "sp=w"), ("sig=", "sig=A")):
                assert change[0] in url
                assert httpx.get(url.replace(*change)).status_code in {403, 404}
            written = httpx.put(url, content=b"x", headers={"x-ms-blob-type": "BlockBlob"})
            assert written.status_code == 403
            assert httpx.get(url.partition("?")[0]).status_code >= 400
            soon = await storage.signed_url(tenant, "other.pdf", expires_in=timedelta(seconds=1))
            await asyncio.sleep(2.1)
            assert httpx.get(str(soon)).status_code == 403
            for wrong in (timedelta(0), timedelta(days=8)):
                with pytest.raises(InvalidInput):
                    await storage.signed_url(tenant, "other.pdf", expires_in=wrong)

    asyncio.run(main())


def test_parts_are_sent_straight_to_the_account(azurite: Azurite, tmp_path: Path) -> None:
    async def main() -> None:
        tenant = make_tenant()
        async with opened(tmp_path, azurite.settings("container")) as storage:
            upload, content = await begun(storage, tenant, "film.mp4", parts=2)
            with pytest.raises(InvalidInput):
                await storage.signed_part_url(tenant, upload.id, 3, expires_in=SOON)
            urls = [
                str(await storage.signed_part_url(tenant, upload.id, n, expires_in=SOON))
                for n in (1, 2)
            ]
            first, second = content[: upload.part_size], content[upload.part_size :]
            assert httpx.put(urls[0], content=first).status_code == 201
            assert httpx.get(urls[0]).status_code >= 400
            assert httpx.put(urls[1], content=second + b"more").status_code == 201
            with pytest.raises(FileMismatch, match=r"Part 2 of 'film\.mp4'"):
                await storage.finish_upload(tenant, upload.id)
            assert await keys_of(storage, tenant) == []
            assert httpx.put(urls[1], content=second).status_code == 201
            assert (await storage.finish_upload(tenant, upload.id)).digest == digest_of(content)
            assert await content_of(storage, tenant, "film.mp4") == content

    asyncio.run(main())


@pytest.mark.parametrize("sent_as", ["part 1", "another block"])
def test_far_more_than_was_announced_has_no_further_address_and_is_swept(
    azurite: Azurite, tmp_path: Path, sent_as: str
) -> None:
    """An address takes any number of bytes: it says for which draft it is, not of how many."""

    async def main() -> None:
        tenant = make_tenant()
        async with opened(tmp_path, azurite.settings("container")) as storage:
            upload, _ = await begun(storage, tenant, "film.mp4", parts=2)
            url = str(await storage.signed_part_url(tenant, upload.id, 1, expires_in=SOON))
            if sent_as != "part 1":
                url = f"{url.rpartition('=')[0]}={quote(b64encode(b'somewhat').decode())}"
            assert httpx.put(url, content=b"x" * 1_000_000).status_code == 201
            with pytest.raises(FileMismatch, match=r"More has come of 'film\.mp4'"):
                await storage.signed_part_url(tenant, upload.id, 2, expires_in=SOON)
            swept = await storage.sweep(tenant)
            assert (swept.removed, swept.bytes) == (1, 1_000_000)
            with pytest.raises(FileMissing):
                await storage.find_upload(tenant, upload.id)
            assert await storage.usage(tenant) == 0
        names = [name for name in await blobs_of(azurite, SHARED) if tenant.tenant_id in name]
        assert [name.rpartition("/")[2] for name in names] == ["usage.json"]

    asyncio.run(main())
