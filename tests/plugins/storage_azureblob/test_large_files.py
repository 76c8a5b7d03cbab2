"""Files of several blocks: memory, company, and writers that are killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from mosaic_core.errors import (
    FileMismatch,
    FileMissing,
)
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.storage.tools import chunked, content_of, digest_of, keys_of
from mosaic_core.testing.storage.uploads import begun, send
from tests.azurite import SHARED, Azurite
from tests.plugins.storage_azureblob.opening import blobs_of, opened


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


FINISHER = """
import asyncio, os, sys
from pathlib import Path
from mosaic_storage_azureblob.plugin import AzureBlobSettings, mosaic_storage
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.storage.tools import chunked

async def main():
    settings = AzureBlobSettings.model_validate_json(os.environ["GIVEN"])
    tenant, size = make_tenant(tenant_id="stopped"), 600_000
    async with mosaic_storage().open(settings, make_services(Path(sys.argv[1]))) as storage:
        upload = await storage.begin_upload(tenant, "a.mp4", size=size)
        for number in upload.missing:
            if number == upload.parts:
                print(upload.id, flush=True)
            part = bytes([number]) * upload.length(number)
            await storage.write_part(tenant, upload.id, number, chunked(part))
        await storage.finish_upload(tenant, upload.id)
    print("finished", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "kills", [4, pytest.param(60, marks=pytest.mark.campaign)], ids=["few", "campaign"]
)
def test_who_is_killed_while_parts_come_or_are_put_together_leaves_it_to_be_gone_on_with(
    azurite: Azurite, tmp_path: Path, kills: int
) -> None:
    settings = azurite.settings("shared")
    script, size = tmp_path / "finisher.py", 600_000
    script.write_text(textwrap.dedent(FINISHER), "utf-8")
    tenant = make_tenant(tenant_id="stopped")

    async def look(upload_id: str) -> None:
        async with opened(tmp_path, settings) as storage:
            stored = sum([info.size async for info in storage.list(tenant)])
            assert stored in {0, size}
            assert await storage.usage(tenant) >= stored
            with suppress(FileMissing):  # it was finished
                upload = await storage.find_upload(tenant, upload_id)
                for number in upload.missing:
                    part = bytes([number]) * upload.length(number)
                    await storage.write_part(tenant, upload.id, number, chunked(part))
                await storage.finish_upload(tenant, upload.id)
            assert (await storage.stat(tenant, "a.mp4")).size == size
            assert await storage.usage(tenant) >= size
            await storage.sweep(tenant, older_than=timedelta(0))
            assert await storage.usage(tenant) == size
            names = [name for name in await blobs_of(azurite, SHARED) if "tenant-stopped/" in name]
            assert [name.rpartition("/")[2] for name in names] == ["a.mp4", "usage.json"]
            await storage.drop(tenant)

    for kill in range(kills):
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"GIVEN": json.dumps(settings)},
        )
        assert process.stdout is not None
        upload_id = process.stdout.readline().strip()
        time.sleep((kill % 15) * 0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        asyncio.run(look(upload_id))


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
