"""The contract of storage, as tests. Subclass :class:`StorageContract` and set ``provider``."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from mosaic_core.errors import (
    Conflict,
    FileMismatch,
    FileMissing,
    InvalidKey,
    MosaicError,
    QuotaExceeded,
    StorageError,
)
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.isolation import check_storage_isolation
from mosaic_core.testing.services import SMALL, SMALL_FILES, make_tenant

#: Keys that would leave the tenant's folder, or that not every file system can hold.
HOSTILE_KEYS = (
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "../other/a.txt",
    "a/../../other/a.txt",
    "a/./b.txt",
    "a//b.txt",
    "a/",
    "a\\b.txt",
    "..\\..\\a.txt",
    "a\0.txt",
    "a\n.txt",
    "a\x7f.txt",
    "a\x85.txt",
    "a\u202etxt.exe",
    "a\u2066b.txt",
    "a\ud800.txt",
    "x" * 181,
    "é" * 91,
    "/".join(["abcdefg"] * 65),
    "con",
    "NUL.txt",
    "a/Com1.log",
    "lpt9",
    "aux .txt",
    "a.",
    "a /b.txt",
    "a./b.txt",
    "a... ",
)

_ABSENT = "absent.txt"


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


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def _assert_nothing(storage: Storage, tenant: TenantContext, key: str) -> None:
    """Nothing of the file is there to be seen in any way."""
    with pytest.raises(FileMissing):
        await storage.stat(tenant, key)
    with pytest.raises(FileMissing):
        await content_of(storage, tenant, key)
    assert key not in await keys_of(storage, tenant)
    assert await storage.usage(tenant) == 0


class StorageContract(Contract[Storage]):
    """What every storage does."""

    # Writing and reading

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
            await _assert_nothing(storage, tenant, "a.txt")

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
            await _assert_nothing(storage, tenant, "slow.txt")
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
        await _assert_nothing(storage, tenant, "a/b.txt")

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
        await _assert_nothing(storage, tenant, "a/b.txt")

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
        for key in (_ABSENT, "folder", "folder/a.txt/b.txt", "folder/b.txt"):
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

    # Keys

    @contract_test
    async def test_hostile_keys_are_refused_everywhere(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.write(tenant, "good.txt", chunked(b"good"))
        for key in HOSTILE_KEYS:
            calls = (
                storage.write(tenant, key, chunked(b"bad")),
                content_of(storage, tenant, key),
                storage.stat(tenant, key),
                storage.delete(tenant, key),
                storage.copy(tenant, "good.txt", key),
                storage.copy(tenant, key, "copy.txt"),
            )
            for call in calls:
                with pytest.raises(InvalidKey):
                    await call
        assert await keys_of(storage, tenant) == ["good.txt"]

    @contract_test
    async def test_unusual_keys_work(self, storage: Storage) -> None:
        tenant = make_tenant()
        keys = [
            "a",
            ".hidden",
            "...dots",
            "two words.txt",
            "100%.txt",
            "a%2Fb.txt",
            "q?x=1&y=2#z.txt",
            "čeština/Öl/日本語/عربى.txt",
            "x" * 180,
            "/".join(["0123456789"] * 46),
            "console.txt",
            "content/facts/drafts.json",
        ]
        for key in keys:
            await storage.write(tenant, key, chunked(key.encode()))
        for key in keys:
            assert await content_of(storage, tenant, key) == key.encode()
        assert await keys_of(storage, tenant) == sorted(keys)

    @contract_test
    async def test_two_spellings_of_one_text_are_one_key(self, storage: Storage) -> None:
        tenant = make_tenant()
        composed = "caf\u00e9/\u00fcber.txt"
        decomposed = unicodedata.normalize("NFD", composed)
        assert composed != decomposed
        await storage.write(tenant, decomposed, chunked(b"first"))
        info = await storage.write(tenant, composed, chunked(b"second"))
        assert info.key == composed
        assert await content_of(storage, tenant, decomposed) == b"second"
        assert await keys_of(storage, tenant) == [composed]
        assert await keys_of(storage, tenant, decomposed[:6]) == [composed]
        await storage.delete(tenant, decomposed)
        assert await keys_of(storage, tenant) == []

    @contract_test
    async def test_a_key_below_a_file_is_stored_or_refused_and_harms_nothing(
        self, storage: Storage
    ) -> None:
        for first, second in (("a", "a/b"), ("a/b", "a")):
            tenant = make_tenant()
            await storage.write(tenant, first, chunked(b"first"))
            try:
                await storage.write(tenant, second, chunked(b"second"))
            except Conflict:
                assert await keys_of(storage, tenant) == [first]
                assert await storage.usage(tenant) == len(b"first")
            else:
                assert await content_of(storage, tenant, second) == b"second"
            assert await content_of(storage, tenant, first) == b"first"
            await storage.delete(tenant, first)
            await storage.write(tenant, second, chunked(b"third"))
            assert await content_of(storage, tenant, second) == b"third"
            assert await keys_of(storage, tenant) == [second]

    # Listing, copying, removing

    @contract_test
    async def test_a_list_is_in_the_order_of_keys_and_below_its_prefix(
        self, storage: Storage
    ) -> None:
        tenant = make_tenant()
        keys = [
            "b",
            "a/2",
            "a/10",
            "a-b",
            "a.b",
            "a/1/x",
            "B",
            "ä",
            "a0",
            "ab/1",
            "\U0001f40d",
            "ﬀ",
        ]
        for key in keys:
            await storage.write(tenant, key, chunked(b"."))
        for prefix in ("", "a", "a/", "a/1", "ab", "ä", "z", "A", "a/1/x", "a/1/xy", "..", "/"):
            expected = sorted(key for key in keys if key.startswith(prefix))
            assert await keys_of(storage, tenant, prefix) == expected
        async for info in storage.list(tenant):
            assert info == await storage.stat(tenant, info.key)

    @contract_test
    async def test_a_copy_is_a_file_of_its_own(self, storage: Storage) -> None:
        tenant, content = make_tenant(), secrets.token_bytes(300_000)
        source = await storage.write(tenant, "a.bin", chunked(content))
        copied = await storage.copy(tenant, "a.bin", "deep/er/b.bin")
        assert (copied.key, copied.size) == ("deep/er/b.bin", source.size)
        assert copied.digest == source.digest
        await storage.delete(tenant, "a.bin")
        assert await content_of(storage, tenant, "deep/er/b.bin") == content
        await storage.write(tenant, "c.bin", chunked(b"other"))
        await storage.copy(tenant, "deep/er/b.bin", "c.bin")
        assert await content_of(storage, tenant, "c.bin") == content
        await storage.copy(tenant, "c.bin", "c.bin")
        assert await content_of(storage, tenant, "c.bin") == content

    @contract_test
    async def test_deleting_what_is_gone_is_no_error(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.delete(tenant, "folder/a.txt")
        await storage.write(tenant, "folder/a.txt", chunked(b"a"))
        for key in (_ABSENT, "folder", "folder/a.txt/b.txt"):
            await storage.delete(tenant, key)
        assert await keys_of(storage, tenant) == ["folder/a.txt"]
        await storage.delete(tenant, "folder/a.txt")
        await storage.delete(tenant, "folder/a.txt")
        await _assert_nothing(storage, tenant, "folder/a.txt")

    @contract_test
    async def test_a_name_that_was_a_folder_can_be_a_file(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.write(tenant, "a/b/c", chunked(b"1"))
        await storage.delete(tenant, "a/b/c")
        await storage.write(tenant, "a", chunked(b"2"))
        await storage.delete(tenant, "a")
        await storage.write(tenant, "a/b", chunked(b"3"))
        assert await keys_of(storage, tenant) == ["a/b"]

    @contract_test
    async def test_usage_is_the_sum_of_the_files(self, storage: Storage) -> None:
        tenant = make_tenant()
        assert await storage.usage(tenant) == 0
        await storage.write(tenant, "a", chunked(b"x" * 1_000))
        await storage.write(tenant, "b/c", chunked(b"x" * 234))
        assert await storage.usage(tenant) == 1_234
        await storage.write(tenant, "a", chunked(b"x" * 10))
        await storage.copy(tenant, "a", "d")
        assert await storage.usage(tenant) == 254
        await storage.delete(tenant, "b/c")
        assert await storage.usage(tenant) == 20

    @contract_test
    async def test_dropping_leaves_nothing_and_a_new_beginning(self, storage: Storage) -> None:
        tenant = make_tenant()
        await storage.drop(tenant)
        for key in ("a", "b/c", "b/d/e"):
            await storage.write(tenant, key, chunked(b"x"))
        await storage.drop(tenant)
        await storage.drop(tenant)
        assert await keys_of(storage, tenant) == []
        await _assert_nothing(storage, tenant, "b/c")
        await storage.write(tenant, "b/c", chunked(b"new"))
        assert await keys_of(storage, tenant) == ["b/c"]

    # Limits, company, persistence

    @contract_test
    async def test_the_tier_s_limit_is_kept(self, storage: Storage) -> None:
        tenant = make_tenant(tier=SMALL)
        await storage.write(tenant, "a", chunked(b"x" * (SMALL_FILES - 10)))
        with pytest.raises(QuotaExceeded):
            await storage.write(tenant, "b", chunked(b"x" * 11))
        with pytest.raises(QuotaExceeded):
            await storage.copy(tenant, "a", "c")
        assert await keys_of(storage, tenant) == ["a"]
        await storage.write(tenant, "b", chunked(b"x" * 10))
        await storage.write(tenant, "a", chunked(b"y" * (SMALL_FILES - 10)))
        assert await storage.usage(tenant) == SMALL_FILES
        await storage.delete(tenant, "a")
        await storage.write(tenant, "c", chunked(b"x" * 1_000))

    @contract_test
    async def test_an_upload_beyond_the_limit_is_stopped_on_its_way(self, storage: Storage) -> None:
        tenant, sent = make_tenant(tier=SMALL), 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 100 * SMALL_FILES:
                sent += 10_000
                yield b"x" * 10_000

        with pytest.raises(QuotaExceeded):
            await storage.write(tenant, "a", endless())
        assert sent < 100 * SMALL_FILES
        await _assert_nothing(storage, tenant, "a")

    @contract_test
    async def test_writers_at_one_time_keep_the_limit(self, storage: Storage) -> None:
        tenant, part = make_tenant(tier=SMALL), SMALL_FILES // 10
        done = await asyncio.gather(
            *(storage.write(tenant, f"f{n}", chunked(b"x" * part, 1_000)) for n in range(20)),
            return_exceptions=True,
        )
        refused = [result for result in done if isinstance(result, BaseException)]
        assert all(isinstance(error, QuotaExceeded) for error in refused), refused
        assert await storage.usage(tenant) <= SMALL_FILES
        assert len(await keys_of(storage, tenant)) == 20 - len(refused)

    @contract_test
    async def test_twenty_writers_of_one_key_leave_one_whole_file(self, storage: Storage) -> None:
        tenant = make_tenant()
        contents = [bytes([n]) * (50_000 + n) for n in range(20)]
        infos = await asyncio.gather(
            *(storage.write(tenant, "busy/a", chunked(content)) for content in contents)
        )
        found = await content_of(storage, tenant, "busy/a")
        assert found in contents
        assert (await storage.stat(tenant, "busy/a")).digest == digest_of(found)
        assert [info.digest for info in infos] == [digest_of(content) for content in contents]
        assert await keys_of(storage, tenant) == ["busy/a"]
        assert await storage.usage(tenant) == len(found)

    @contract_test
    async def test_twenty_writers_of_twenty_keys_all_arrive(self, storage: Storage) -> None:
        tenant = make_tenant()
        contents = {f"d{n % 4}/f{n}": bytes([n]) * 30_000 for n in range(20)}
        await asyncio.gather(
            *(storage.write(tenant, key, chunked(data)) for key, data in contents.items())
        )
        assert await keys_of(storage, tenant) == sorted(contents)
        for key, data in contents.items():
            assert await content_of(storage, tenant, key) == data

    @contract_test
    async def test_writing_and_deleting_in_one_folder_at_one_time_is_no_error(
        self, storage: Storage
    ) -> None:
        tenant = make_tenant()

        async def busy(n: int) -> None:
            for _ in range(10):
                await storage.write(tenant, f"a/b/f{n}", chunked(b"x"))
                await keys_of(storage, tenant)
                await storage.usage(tenant)
                await storage.delete(tenant, f"a/b/f{n}")

        await asyncio.gather(*(busy(n) for n in range(8)))
        assert await keys_of(storage, tenant) == []

    @contract_test
    async def test_no_tenant_reaches_another_s_files(self, storage: Storage) -> None:
        await check_storage_isolation(storage, make_tenant(), make_tenant())

    @contract_test
    async def test_errors_say_what_to_do_and_are_ours(self, storage: Storage) -> None:
        tenant = make_tenant()
        with pytest.raises(MosaicError) as missing:
            await storage.stat(tenant, "gallery/absent.jpg")
        assert "gallery/absent.jpg" in missing.value.message


class DurableStorageContract(StorageContract):
    """What every storage does that outlives its process."""

    @contract_test
    async def test_files_outlive_the_process_that_wrote_them(self, storage: Storage) -> None:
        tenant = make_tenant()
        written = await storage.write(tenant, "a/b.txt", chunked(b"to stay"))
        async with self.open(self.services) as again:
            assert await again.stat(tenant, "a/b.txt") == written
            assert await content_of(again, tenant, "a/b.txt") == b"to stay"
            await again.write(tenant, "a/c.txt", chunked(b"from the other"))
        assert await keys_of(storage, tenant) == ["a/b.txt", "a/c.txt"]
