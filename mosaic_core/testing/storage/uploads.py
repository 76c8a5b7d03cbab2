"""A file that comes in parts."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from mosaic_core.errors import (
    FileMismatch,
    FileMissing,
    InvalidInput,
    QuotaExceeded,
)
from mosaic_core.storage import Storage, Upload
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.services import SMALL, SMALL_FILES, make_tenant
from mosaic_core.testing.storage.tools import (
    chunked,
    content_of,
    digest_of,
    keys_of,
    unseen,
)

#: What no upload is called, and what would lead elsewhere if it were a path.
HOSTILE_IDS = ("", ".", "..", "../..", "a/b", "0" * 32, "0" * 999, "\0", "é", "lock", "*", "%2e%2e")


class UploadsContract(Contract[Storage]):
    """Uploads: begun, sent in parts, finished or ended; and what is left of them swept."""

    @contract_test
    async def test_parts_in_any_order_and_twice_make_the_file(self, storage: Storage) -> None:
        tenant = make_tenant()
        upload, content = await begun(storage, tenant, "films/a.mp4", parts=3)
        assert (upload.key, upload.parts, upload.missing) == ("films/a.mp4", 3, (1, 2, 3))
        await send(storage, tenant, upload, 3, content)
        await storage.write_part(tenant, upload.id, 1, chunked(b"?" * upload.length(1), 100_000))
        assert (await storage.find_upload(tenant, upload.id)).missing == (2,)
        await asyncio.gather(*(send(storage, tenant, upload, number, content) for number in (2, 1)))
        await unseen(storage, tenant, "films/a.mp4")
        made = await storage.finish_upload(tenant, upload.id)
        assert (made.key, made.size) == ("films/a.mp4", len(content))
        assert made.digest == digest_of(content)
        assert await storage.stat(tenant, "films/a.mp4") == made
        assert await content_of(storage, tenant, "films/a.mp4") == content
        assert await storage.usage(tenant) == len(content)
        with pytest.raises(FileMissing):
            await storage.finish_upload(tenant, upload.id)

    @contract_test
    async def test_another_process_goes_on_where_one_stopped(self, storage: Storage) -> None:
        tenant = make_tenant()
        upload, content = await begun(storage, tenant, "a.bin", parts=2)
        await send(storage, tenant, upload, 2, content)
        found = await storage.find_upload(tenant, upload.id)
        assert (found.id, found.key, found.size) == (upload.id, "a.bin", len(content))
        assert (found.digest, found.present) == (digest_of(content), (2,))
        for number in found.missing:
            await send(storage, tenant, found, number, content)
        assert (await storage.finish_upload(tenant, found.id)).digest == digest_of(content)

    @contract_test
    async def test_an_upload_of_no_bytes_is_an_empty_file(self, storage: Storage) -> None:
        tenant = make_tenant()
        upload = await storage.begin_upload(tenant, "empty", size=0)
        assert upload.parts == 0
        made = await storage.finish_upload(tenant, upload.id)
        assert (made.size, made.digest) == (0, digest_of(b""))
        assert await content_of(storage, tenant, "empty") == b""

    @contract_test
    async def test_a_part_has_exactly_its_bytes(self, storage: Storage) -> None:
        tenant = make_tenant()
        upload, content = await begun(storage, tenant, "a.bin", parts=2)
        wrong = {1: upload.part_size - 1, 2: upload.length(2) + 1}
        for number, length in wrong.items():
            with pytest.raises(FileMismatch):
                sent = chunked(b"x" * length, 1 << 20)
                await storage.write_part(tenant, upload.id, number, sent)
        for number in (-1, 0, 3, 10**9):
            with pytest.raises(InvalidInput):
                await storage.write_part(tenant, upload.id, number, chunked(b"x"))
        assert (await storage.find_upload(tenant, upload.id)).present == ()
        await finish(storage, tenant, upload, content)

    @contract_test
    async def test_a_part_that_breaks_off_is_not_there(self, storage: Storage) -> None:
        tenant = make_tenant()
        upload, content = await begun(storage, tenant, "a.bin", parts=1)
        half = asyncio.Event()

        async def breaks() -> AsyncIterator[bytes]:
            yield content[:1_000]
            raise ConnectionResetError("the client went away")

        async def never_ends() -> AsyncIterator[bytes]:
            yield content[:1_000]
            half.set()
            await asyncio.Event().wait()

        with pytest.raises(ConnectionResetError):
            await storage.write_part(tenant, upload.id, 1, breaks())
        sending = asyncio.create_task(storage.write_part(tenant, upload.id, 1, never_ends()))
        await half.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert (await storage.find_upload(tenant, upload.id)).present == ()
        await finish(storage, tenant, upload, content)

    @contract_test
    async def test_what_is_not_whole_or_not_as_announced_is_not_made_and_can_be_mended(
        self, storage: Storage
    ) -> None:
        tenant = make_tenant()
        old = await storage.write(tenant, "a.bin", chunked(b"old"))
        upload, content = await begun(storage, tenant, "a.bin", parts=2)
        await send(storage, tenant, upload, 1, content)
        with pytest.raises(FileMismatch):
            await storage.finish_upload(tenant, upload.id)
        await storage.write_part(tenant, upload.id, 2, chunked(b"?" * upload.length(2)))
        with pytest.raises(FileMismatch):
            await storage.finish_upload(tenant, upload.id)
        assert await storage.stat(tenant, "a.bin") == old
        assert await content_of(storage, tenant, "a.bin") == b"old"
        await send(storage, tenant, upload, 2, content)
        await storage.finish_upload(tenant, upload.id)
        assert await content_of(storage, tenant, "a.bin") == content
        assert await storage.usage(tenant) == len(content)

    @contract_test
    async def test_an_upload_that_is_ended_leaves_nothing(self, storage: Storage) -> None:
        tenant = make_tenant()
        upload, content = await begun(storage, tenant, "a.bin", parts=2)
        await send(storage, tenant, upload, 1, content)
        for _ in range(2):
            await storage.abort_upload(tenant, upload.id)
        await gone(storage, tenant, upload)
        assert await storage.usage(tenant) == 0
        assert await keys_of(storage, tenant) == []

    @contract_test
    async def test_what_is_no_upload_is_missing(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.write(tenant, "lock", chunked(b"a file"))
        for upload_id in HOSTILE_IDS:
            await gone(storage, tenant, Upload(upload_id, "a", 1, None, 1))
            await storage.abort_upload(tenant, upload_id)
        assert await keys_of(storage, tenant) == ["lock"]

    @contract_test
    async def test_an_upload_has_a_size_that_can_be(self, storage: Storage) -> None:
        tenant = make_tenant()
        for size in (-1, 10**15):  # the latter has more parts than can be put together
            with pytest.raises(InvalidInput):
                await storage.begin_upload(tenant, "a.bin", size=size)
        assert await storage.usage(tenant) == 0

    @contract_test
    async def test_uploads_count_from_their_beginning(self, storage: Storage) -> None:
        tenant, most = make_tenant(tier=SMALL), SMALL_FILES
        with pytest.raises(QuotaExceeded):
            await storage.begin_upload(tenant, "a", size=most + 1)
        started = await asyncio.gather(
            *(storage.begin_upload(tenant, f"f{n}", size=most // 3) for n in range(9)),
            return_exceptions=True,
        )
        uploads = [upload for upload in started if isinstance(upload, Upload)]
        refused = [error for error in started if isinstance(error, BaseException)]
        assert len(uploads) == 3
        assert all(isinstance(error, QuotaExceeded) for error in refused), refused
        assert await storage.usage(tenant) == 3 * (most // 3)
        with pytest.raises(QuotaExceeded):
            await storage.write(tenant, "b", chunked(b"x" * 1_000))
        await finish(storage, tenant, uploads[0], b"x" * (most // 3))
        await storage.abort_upload(tenant, uploads[1].id)
        await storage.write(tenant, "b", chunked(b"x" * 1_000))
        assert await storage.usage(tenant) == 2 * (most // 3) + 1_000

    @contract_test
    async def test_a_sweep_removes_what_nobody_finished_and_nothing_else(
        self, storage: Storage
    ) -> None:
        tenant = make_tenant()
        await storage.write(tenant, "a.txt", chunked(b"a file"))
        upload, content = await begun(storage, tenant, "b.bin", parts=2)
        await send(storage, tenant, upload, 1, content)
        young = await storage.sweep(tenant)
        assert (young.removed, young.bytes) == (0, 0)
        assert (await storage.find_upload(tenant, upload.id)).present == (1,)
        swept = await storage.sweep(tenant, older_than=timedelta(0))
        assert swept.removed == 1
        assert swept.bytes >= upload.length(1)
        await gone(storage, tenant, upload)
        assert await keys_of(storage, tenant) == ["a.txt"]
        assert await storage.usage(tenant) == len(b"a file")
        assert await storage.sweep(tenant, older_than=timedelta(0)) == type(swept)()

    @contract_test
    async def test_dropping_ends_uploads(self, storage: Storage) -> None:
        tenant = make_tenant()
        upload, content = await begun(storage, tenant, "a.bin", parts=1)
        await send(storage, tenant, upload, 1, content)
        await storage.drop(tenant)
        await gone(storage, tenant, upload)
        assert await storage.usage(tenant) == 0


async def begun(
    storage: Storage, tenant: TenantContext, key: str, *, parts: int
) -> tuple[Upload, bytes]:
    """An upload of so many parts, the last one short, and the content that it is to have."""
    probe = await storage.begin_upload(tenant, key, size=1)
    await storage.abort_upload(tenant, probe.id)
    content = secrets.token_bytes((parts - 1) * probe.part_size + 3_333)
    upload = await storage.begin_upload(tenant, key, size=len(content), digest=digest_of(content))
    return upload, content


async def send(
    storage: Storage, tenant: TenantContext, upload: Upload, number: int, content: bytes
) -> None:
    """Sends the part of ``content`` that has this number."""
    start = (number - 1) * upload.part_size
    part = content[start : start + upload.length(number)]
    await storage.write_part(tenant, upload.id, number, chunked(part, 100_000))


async def finish(storage: Storage, tenant: TenantContext, upload: Upload, content: bytes) -> None:
    """Sends what is missing, and the file is there."""
    for number in (await storage.find_upload(tenant, upload.id)).missing:
        await send(storage, tenant, upload, number, content)
    assert (await storage.finish_upload(tenant, upload.id)).digest == digest_of(content)


async def gone(storage: Storage, tenant: TenantContext, upload: Upload) -> None:
    """Nobody can go on with the upload."""
    with pytest.raises(FileMissing):
        await storage.find_upload(tenant, upload.id)
    with pytest.raises(FileMissing):
        await storage.write_part(tenant, upload.id, 1, chunked(b"x"))
    with pytest.raises(FileMissing):
        await storage.finish_upload(tenant, upload.id)
    with pytest.raises(FileMissing):
        await storage.signed_part_url(tenant, upload.id, 1, expires_in=timedelta(minutes=1))
