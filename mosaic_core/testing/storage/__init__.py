"""The contract of storage, as tests. Subclass :class:`StorageContract` and set ``provider``."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from mosaic_core.errors import QuotaExceeded
from mosaic_core.storage import Storage
from mosaic_core.testing.contract import contract_test
from mosaic_core.testing.services import SMALL, SMALL_FILES, make_tenant
from mosaic_core.testing.storage.company import CompanyContract
from mosaic_core.testing.storage.files import FilesContract
from mosaic_core.testing.storage.keys import KeysContract
from mosaic_core.testing.storage.tools import chunked, content_of, keys_of
from mosaic_core.testing.storage.uploads import UploadsContract, begun, finish, send

__all__ = ["DurableStorageContract", "StorageContract"]


class StorageContract(FilesContract, KeysContract, CompanyContract, UploadsContract):
    """What every storage does."""


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

    @contract_test
    async def test_processes_together_keep_the_limit(self, storage: Storage) -> None:
        tenant, part = make_tenant(tier=SMALL), b"x" * (SMALL_FILES // 10)
        async with self.open(self.services) as again:
            done = await asyncio.gather(
                *(
                    one.write(tenant, f"f{n}", chunked(part, 1_000))
                    for n, one in enumerate([storage, again] * 10)
                ),
                return_exceptions=True,
            )
            refused = [result for result in done if isinstance(result, BaseException)]
            assert all(isinstance(error, QuotaExceeded) for error in refused), refused
            assert len(await keys_of(again, tenant)) == 20 - len(refused) <= 10
            for one in (storage, again):
                assert await one.usage(tenant) == (20 - len(refused)) * len(part)

    @contract_test
    async def test_a_lease_is_one_for_all_processes(self, storage: Storage) -> None:
        tenant = make_tenant()
        async with self.open(self.services) as again:
            async with (
                storage.lease(tenant, "a.webp") as ours,
                again.lease(tenant, "a.webp") as other,
            ):
                assert (ours, other) == (True, False)
            async with again.lease(tenant, "a.webp") as theirs:
                await storage.sweep(tenant, older_than=timedelta(0))
                async with storage.lease(tenant, "a.webp") as ours:
                    assert (ours, theirs) == (False, True)

    @contract_test
    async def test_an_upload_outlives_the_process_that_began_it(self, storage: Storage) -> None:
        tenant = make_tenant()
        upload, content = await begun(storage, tenant, "a.bin", parts=2)
        await send(storage, tenant, upload, 2, content)
        async with self.open(self.services) as again:
            assert (await again.find_upload(tenant, upload.id)).present == (2,)
            await finish(again, tenant, upload, content)
        assert await keys_of(storage, tenant) == ["a.bin"]
