"""Writing and reading one file."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from mosaic_core.errors import (
    FileMismatch,
    FileMissing,
    StorageError,
)
from mosaic_core.storage import Storage
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.storage.tools import (
    assert_nothing,
    chunked,
    content_of,
    digest_of,
    keys_of,
)


class FilesContract(Contract[Storage]):
    """How a file comes to be, is read, and is replaced."""

    @contract_test
    async def test_what_was_written_is_read(self, storage: Storage) -> None:
        tenant, content = make_tenant(), secrets.token_bytes(700_001)
        before = datetime.now(UTC) - timedelta(seconds=5)
        written = await storage.write(tenant, "gallery/img1.jpg", chunked(content))
        assert (written.key, written.size) == ("gallery/img1.jpg", len(content))
        assert written.digest == digest_of(content)
        assert written.modified.tzinfo is not None
        assert before <= written.modified <= datetime.now(UTC) + timedelta(seconds=5)
        assert await content_of(storage, tenant, "gallery/img1.jpg") == content
        assert await storage.stat(tenant, "gallery/img1.jpg") == written

    @contract_test
    async def test_an_empty_file_is_a_file(self, storage: Storage) -> None:
        tenant = make_tenant()
        written = await storage.write(tenant, "empty", chunked(b""), size=0, digest=digest_of(b""))
        assert (written.size, written.digest) == (0, digest_of(b""))
        assert await content_of(storage, tenant, "empty") == b""
        assert await keys_of(storage, tenant) == ["empty"]

    @contract_test
    async def test_an_announced_size_and_digest_are_accepted_when_they_fit(
        self, storage: Storage
    ) -> None:
        tenant, content = make_tenant(), b"as announced" * 1_000
        info = await storage.write(
            tenant, "a.txt", chunked(content), size=len(content), digest=digest_of(content)
        )
        assert info.size == len(content)
        assert await content_of(storage, tenant, "a.txt") == content

    @contract_test
    async def test_a_file_that_is_not_as_announced_is_refused(self, storage: Storage) -> None:
        tenant, content = make_tenant(), b"not as announced" * 1_000
        announced: list[tuple[int | None, str | None]] = [
            (len(content) - 1, None),
            (len(content) + 1, None),
            (0, None),
            (None, digest_of(b"another")),
            (len(content), digest_of(b"another")),
            (len(content) + 1, digest_of(content)),
        ]
        for size, digest in announced:
            with pytest.raises(FileMismatch):
                await storage.write(tenant, "a.txt", chunked(content), size=size, digest=digest)
            await assert_nothing(storage, tenant, "a.txt")

    @contract_test
    async def test_a_refused_file_leaves_the_one_that_it_would_have_replaced(
        self, storage: Storage
    ) -> None:
        tenant = make_tenant()
        old = await storage.write(tenant, "a.txt", chunked(b"old"))
        with pytest.raises(FileMismatch):
            await storage.write(tenant, "a.txt", chunked(b"new"), size=4)
        assert await storage.stat(tenant, "a.txt") == old
        assert await content_of(storage, tenant, "a.txt") == b"old"

    @contract_test
    async def test_a_file_is_visible_only_when_it_is_complete(self, storage: Storage) -> None:
        tenant, half = make_tenant(), asyncio.Event()
        go_on = asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield b"first half, "
            half.set()
            await go_on.wait()
            yield b"second half"

        writing = asyncio.create_task(storage.write(tenant, "slow.txt", slowly()))
        await half.wait()
        try:
            await assert_nothing(storage, tenant, "slow.txt")
        finally:
            go_on.set()
            await writing
        assert await content_of(storage, tenant, "slow.txt") == b"first half, second half"

    @contract_test
    async def test_an_upload_that_breaks_off_leaves_nothing(self, storage: Storage) -> None:
        tenant = make_tenant()

        async def breaks() -> AsyncIterator[bytes]:
            yield b"x" * 10_000
            raise ConnectionResetError("the client went away")

        with pytest.raises(ConnectionResetError):
            await storage.write(tenant, "a/b.txt", breaks())
        await assert_nothing(storage, tenant, "a/b.txt")

    @contract_test
    async def test_an_upload_that_is_cancelled_leaves_nothing(self, storage: Storage) -> None:
        tenant, begun = make_tenant(), asyncio.Event()

        async def never_ends() -> AsyncIterator[bytes]:
            yield b"x" * 10_000
            begun.set()
            await asyncio.Event().wait()

        writing = asyncio.create_task(storage.write(tenant, "a/b.txt", never_ends()))
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await assert_nothing(storage, tenant, "a/b.txt")

    @contract_test
    async def test_a_range_has_its_start_and_not_its_end(self, storage: Storage) -> None:
        tenant, content = make_tenant(), secrets.token_bytes(600_000)
        await storage.write(tenant, "video", chunked(content, 100_000))
        size = len(content)
        ranges: list[tuple[int, int | None]] = [
            (0, 1),
            (0, 0),
            (1, None),
            (262_143, 262_145),
            (100, 524_389),
            (size - 1, None),
            (size - 1, size + 100),
            (size, None),
            (size + 5, size + 9),
            (9, 5),
        ]
        for start, end in ranges:
            assert await content_of(storage, tenant, "video", start, end) == content[start:end]

    @contract_test
    async def test_what_is_not_there_is_missing(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.write(tenant, "folder/a.txt", chunked(b"a"))
        for key in ("absent.txt", "folder", "folder/a.txt/b.txt", "folder/b.txt"):
            with pytest.raises(FileMissing):
                await content_of(storage, tenant, key)
            with pytest.raises(FileMissing):
                await storage.stat(tenant, key)
            with pytest.raises(FileMissing):
                await storage.copy(tenant, key, "copy.txt")
        assert await keys_of(storage, tenant) == ["folder/a.txt"]

    @contract_test
    async def test_writing_again_replaces(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.write(tenant, "a.txt", chunked(b"a long first text"))
        replaced = await storage.write(tenant, "a.txt", chunked(b"second"))
        assert await content_of(storage, tenant, "a.txt") == b"second"
        assert await storage.stat(tenant, "a.txt") == replaced
        assert replaced.digest == digest_of(b"second")
        assert await keys_of(storage, tenant) == ["a.txt"]
        assert await storage.usage(tenant) == len(b"second")

    @contract_test
    async def test_a_reader_never_gets_a_mixture_of_two_files(self, storage: Storage) -> None:
        tenant, old, new = make_tenant(), b"o" * 900_000, b"n" * 900_000
        await storage.write(tenant, "a", chunked(old, 100_000))
        got = b""
        try:
            async for chunk in storage.read(tenant, "a"):
                if not got:
                    await storage.write(tenant, "a", chunked(new, 100_000))
                got += chunk
        except StorageError:
            assert got in old  # said so instead
        else:
            assert got in (old, new)
        assert await content_of(storage, tenant, "a") == new
