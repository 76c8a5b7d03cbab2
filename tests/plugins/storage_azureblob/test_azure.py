"""What Azure Blob Storage has beyond the contract: layouts, accounts, addresses, errors."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import httpx
import pytest
from azure.storage.blob.aio import BlobServiceClient
from mosaic_storage_azureblob.plugin import AzureBlobSettings, mosaic_storage
from pydantic import ValidationError

from mosaic_core.errors import (
    ConfigurationError,
    FileMismatch,
    InvalidInput,
    MosaicError,
    StorageBusy,
    StorageForbidden,
    StorageUnreachable,
)
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.isolation import check_storage_isolation
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.storage.tools import chunked, content_of, digest_of, keys_of
from mosaic_core.testing.storage.uploads import begun, finish, send
from tests.azurite import OWN, SHARED, Azurite
from tests.processes import free_port

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


# Layouts


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


# Addresses


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


# When things go wrong


class Refusing(BaseHTTPRequestHandler):
    """Answers each request with what its server was told, then with an empty file."""

    answers: ClassVar[list[tuple[int, str]]] = []
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        status, code = self.answers.pop(0) if self.answers else (200, "")
        self.send_response(status)
        if code:
            self.send_header("x-ms-error-code", code)
        else:
            self.send_header("ETag", '"0x1"')
            self.send_header("Last-Modified", "Fri, 27 Nov 2026 10:00:00 GMT")
            self.send_header("x-ms-meta-sha256", digest_of(b""))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        ([(503, "ServerBusy")], None, ""),
        ([(500, "InternalError"), (503, "ServerBusy")], StorageBusy, "too busy"),
        ([(403, "AuthorizationFailure")], StorageForbidden, "Storage Blob Data Contributor"),
        ([(409, "AccountBeingCreated")], MosaicError, "AccountBeingCreated"),
    ],
)
def test_what_the_service_answers_is_told_and_worth_another_try_or_not(
    azurite: Azurite,
    tmp_path: Path,
    answers: list[tuple[int, str]],
    error: type[MosaicError] | None,
    words: str,
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    Refusing.answers, Refusing.asked = list(answers), []

    async def main() -> None:
        connection = azurite.connection(SHARED, port=server.server_port)
        settings = azurite.settings("container", connection_string=connection)
        async with opened(tmp_path, settings) as storage:
            if error is None:
                await storage.stat(make_tenant(), "a.txt")
                return
            with pytest.raises(error, match=words) as caught:
                await storage.stat(make_tenant(), "a.txt")
            assert type(caught.value) is not MosaicError
            assert azurite.keys[SHARED] not in str(caught.value)

    try:
        asyncio.run(main())
        assert len(Refusing.asked) == (2 if answers[0][0] >= 500 else 1)
    finally:
        server.shutdown()
        server.server_close()


def test_no_key_and_no_answer_are_told_apart(azurite: Azurite, tmp_path: Path) -> None:
    async def fails(connection: str, error: type[MosaicError]) -> None:
        settings = azurite.settings("container", connection_string=connection, retries=0)
        async with opened(tmp_path, settings) as storage:
            for call in (storage.usage(make_tenant()), storage.stat(make_tenant(), "a.txt")):
                with pytest.raises(error) as caught:
                    await call
                assert "AccountKey" not in str(caught.value)

    wrong = azurite.connection(SHARED, key=azurite.keys[OWN[0]])
    asyncio.run(fails(wrong, StorageForbidden))
    asyncio.run(fails(azurite.connection(SHARED, port=free_port()), StorageUnreachable))


def test_what_can_be_is_switched_on_and_what_cannot_is_said(
    azurite: Azurite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> bool:
        account = OWN[2]
        own = azurite.connection(account)
        async with opened(tmp_path, azurite.settings("account", accounts={"one": own})) as storage:
            await storage.write(make_tenant(slug="one"), "a", chunked(b"x"))
        async with BlobServiceClient.from_connection_string(own) as service:
            properties = await service.get_service_properties()
        return bool(properties["delete_retention_policy"].enabled)

    with caplog.at_level(logging.INFO, "mosaic.storage"):
        assert asyncio.run(main())
    assert "what is deleted can be restored for 7 days" in caplog.text
    assert "--enable-versioning true" in caplog.text


# Large files


def test_a_large_file_is_never_all_in_memory(azurite: Azurite, tmp_path: Path) -> None:
    size, block = 24_000_000, 1024 * 1024

    async def content() -> AsyncIterator[bytes]:
        for n in range(size // 100_000):
            yield bytes([n % 251]) * 100_000

    async def main() -> int:
        tenant = make_tenant()
        async with opened(tmp_path, azurite.settings("container", block_size=block)) as storage:
            tracemalloc.start()
            try:
                written = await storage.write(tenant, "a.mp4", content(), size=size)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert await storage.stat(tenant, "a.mp4") == written
            assert await storage.usage(tenant) == size
            middle = await content_of(storage, tenant, "a.mp4", 99_999, 100_001)
            assert middle == b"\x00\x01"
            await storage.drop(tenant)
        return peak

    assert asyncio.run(main()) < 12_000_000


def test_large_writers_of_one_key_leave_one_whole_file(azurite: Azurite, tmp_path: Path) -> None:
    async def main() -> None:
        tenant = make_tenant()
        contents = [bytes([n]) * (150_000 + n) for n in range(3)]
        settings = azurite.settings("shared")
        async with opened(tmp_path, settings) as one, opened(tmp_path, settings) as other:
            await asyncio.gather(
                *(s.write(tenant, "a", chunked(c)) for c in contents for s in (one, other))
            )
            found = await content_of(one, tenant, "a")
            assert found in contents
            assert await other.usage(tenant) == len(found)
        names = [name for name in await blobs_of(azurite, SHARED) if tenant.tenant_id in name]
        assert [name.rpartition("/")[2] for name in names] == ["a", "usage.json"]

    asyncio.run(main())


WRITER = """
import asyncio, os, sys
from pathlib import Path
from mosaic_storage_azureblob.plugin import AzureBlobSettings, mosaic_storage
from mosaic_core.testing.services import make_services, make_tenant

async def content():
    for _ in range(5):
        yield b"x" * 70_000
    print("begun", flush=True)
    await asyncio.Event().wait()

async def main():
    settings = AzureBlobSettings.model_validate_json(os.environ["GIVEN"])
    folder = Path(sys.argv[1])
    async with mosaic_storage().open(settings, make_services(folder)) as storage:
        await storage.write(make_tenant(tenant_id="killed"), "a.mp4", content())

asyncio.run(main())
"""


def test_a_killed_writer_leaves_nothing_after_the_sweep(azurite: Azurite, tmp_path: Path) -> None:
    settings = azurite.settings("shared")
    script = tmp_path / "writer.py"
    script.write_text(textwrap.dedent(WRITER), "utf-8")
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"GIVEN": json.dumps(settings)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)

    async def main() -> None:
        tenant = make_tenant(tenant_id="killed")
        async with opened(tmp_path, settings) as storage:
            assert await keys_of(storage, tenant) == []
            assert (await storage.sweep(tenant)).removed == 0
            swept = await storage.sweep(tenant, older_than=timedelta(0))
            assert swept.removed == 1
            assert swept.bytes >= 64 * 1024
            assert await storage.usage(tenant) == 0
        left = [name for name in await blobs_of(azurite, SHARED) if "tenant-killed/" in name]
        assert [name.rpartition("/")[2] for name in left] in ([], ["usage.json"])

    asyncio.run(main())


def test_a_part_that_is_sent_again_after_a_mismatch_counts(
    azurite: Azurite, tmp_path: Path
) -> None:
    async def main() -> None:
        tenant = make_tenant()
        async with opened(tmp_path, azurite.settings("shared")) as storage:
            upload, content = await begun(storage, tenant, "a.bin", parts=2)
            await send(storage, tenant, upload, 2, content)
            await storage.write_part(tenant, upload.id, 1, chunked(b"?" * upload.part_size))
            with pytest.raises(FileMismatch, match="announced"):
                await storage.finish_upload(tenant, upload.id)
            assert (await storage.find_upload(tenant, upload.id)).missing == ()
            await send(storage, tenant, upload, 1, content)
            assert (await storage.finish_upload(tenant, upload.id)).digest == digest_of(content)

    asyncio.run(main())
