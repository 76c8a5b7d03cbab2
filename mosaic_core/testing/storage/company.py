"""Limits, and others who write at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mosaic_core.errors import (
    MosaicError,
    QuotaExceeded,
)
from mosaic_core.storage import Storage
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.isolation import check_storage_isolation
from mosaic_core.testing.services import SMALL, SMALL_FILES, make_tenant
from mosaic_core.testing.storage.tools import (
    assert_nothing,
    chunked,
    content_of,
    digest_of,
    keys_of,
)


class CompanyContract(Contract[Storage]):
    """Limits, concurrency, isolation."""

    #: How often each of several writers writes and deletes; fewer where each time is a request.
    rounds = 10

    @contract_test
    async def test_each_tenant_has_a_place_of_its_own(self, storage: Storage) -> None:
        one, other = make_tenant(), make_tenant()
        assert storage.place(one) == storage.place(one)
        assert storage.place(one) != storage.place(other)

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
        await assert_nothing(storage, tenant, "a")

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
            for _ in range(self.rounds):
                await storage.write(tenant, f"a/b/f{n}", chunked(b"x"))
                await keys_of(storage, tenant)
                await storage.usage(tenant)
                await storage.delete(tenant, f"a/b/f{n}")

        await asyncio.gather(*(busy(n) for n in range(8)))
        assert await keys_of(storage, tenant) == []

    @contract_test
    async def test_a_lease_is_had_by_one_at_a_time(self, storage: Storage) -> None:
        tenant = make_tenant()
        for _ in range(2):
            async with storage.lease(tenant, "café/a.webp") as first:
                async with (
                    storage.lease(tenant, "cafe\u0301/a.webp") as second,
                    storage.lease(tenant, "café/b.webp") as another,
                ):
                    assert (first, second, another) == (True, False, True)
                async with storage.lease(tenant, "café/a.webp") as third:
                    assert not third, "who did not have it has not ended it"
                assert await keys_of(storage, tenant) == []
                assert await storage.usage(tenant) == 0
                await storage.write(tenant, "café/a.webp", chunked(b"made"))
            await storage.delete(tenant, "café/a.webp")

    @contract_test
    async def test_a_lease_ends_with_what_fails_or_is_cancelled(self, storage: Storage) -> None:
        tenant, held = make_tenant(), asyncio.Event()

        async def hold() -> None:
            async with storage.lease(tenant, "a") as ours:
                assert ours
                held.set()
                await asyncio.Event().wait()

        holding = asyncio.create_task(hold())
        await held.wait()
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        with pytest.raises(ZeroDivisionError):
            async with storage.lease(tenant, "a") as ours:
                raise ZeroDivisionError(ours)
        async with storage.lease(tenant, "a") as ours:
            assert ours

    @contract_test
    async def test_of_many_at_once_one_has_the_lease(self, storage: Storage) -> None:
        tenant, done = make_tenant(), asyncio.Event()
        had: list[bool] = []

        async def ask() -> None:
            async with storage.lease(tenant, "a") as ours:
                had.append(ours)
                if len(had) == 10:
                    done.set()
                await done.wait()

        await asyncio.gather(*(ask() for _ in range(10)))
        assert sum(had) == 1

    @contract_test
    async def test_no_tenant_reaches_another_s_files(self, storage: Storage) -> None:
        await check_storage_isolation(storage, make_tenant(), make_tenant())

    @contract_test
    async def test_errors_say_what_to_do_and_are_ours(self, storage: Storage) -> None:
        tenant = make_tenant()
        with pytest.raises(MosaicError) as missing:
            await storage.stat(tenant, "gallery/absent.jpg")
        assert "gallery/absent.jpg" in missing.value.message
