"""What counts is never less than what is stored, and exactly that once it was swept: random
sequences with crashes."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from mosaic_storage_azureblob.plugin import AzureBlobSettings
from mosaic_storage_azureblob.plugin import mosaic_storage as azure_storage
from mosaic_storage_local.folder import LocalFolder

from mosaic_core.errors import FileMissing
from mosaic_core.storage import Storage
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.storage.tools import chunked
from tests.azurite import Azurite
from tests.contracts.storage_machine import LONG, QUICK, Crashed, StorageMachine

LENGTHS = [
    pytest.param(QUICK, id="few"),
    pytest.param(LONG, id="campaign", marks=pytest.mark.campaign),
]
#: Every way in which the local storage changes what the disk has.
CHANGES = ("replace", "unlink", "mkdir", "rmdir", "fsync")


class LocalMachine(StorageMachine):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Storage]:
        with tempfile.TemporaryDirectory() as folder:
            yield LocalFolder(Path(folder) / "files", make_services(Path(folder)).tiers)

    @contextmanager
    def crashing(self, after: int) -> Iterator[None]:
        left = after

        def dying(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Crashed
                return real(*given, **named)

            return call

        with mock.patch.multiple(os, **{name: dying(getattr(os, name)) for name in CHANGES}):
            yield


class AzureMachine(StorageMachine):
    azurite: ClassVar[Azurite]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Storage]:
        given = AzureBlobSettings.model_validate(self.azurite.settings("container"))
        with tempfile.TemporaryDirectory() as folder:
            async with azure_storage().open(given, make_services(Path(folder))) as storage:
                yield storage

    @contextmanager
    def crashing(self, after: int) -> Iterator[None]:
        left, real = after, AioHttpTransport.send

        async def dying(transport: Any, request: Any, **given: Any) -> Any:
            nonlocal left
            if request.method in {"GET", "HEAD"}:
                return await real(transport, request, **given)
            left -= 1
            if left < 0:
                if left == -1 and after % 2:  # it is carried out, and nobody learns of it
                    await real(transport, request, **given)
                raise Crashed
            return await real(transport, request, **given)

        with mock.patch.object(AioHttpTransport, "send", dying):
            yield


@pytest.mark.parametrize("length", LENGTHS)
def test_blob_storage_counts_what_it_stores(azurite: Azurite, length: Any) -> None:
    AzureMachine.azurite = azurite
    fewer = settings(length, max_examples=length.max_examples // 5)
    run_state_machine_as_test(AzureMachine, settings=fewer)


@pytest.mark.parametrize("length", LENGTHS)
def test_local_storage_counts_what_it_stores(length: Any) -> None:
    run_state_machine_as_test(LocalMachine, settings=length)


@pytest.mark.parametrize("then", ["finish_upload", "abort_upload"])
@pytest.mark.parametrize("kind", [LocalMachine, AzureMachine], ids=["local", "azure"])
def test_an_upload_that_was_stopped_anywhere_while_it_was_finished_is_counted_in_full(
    azurite: Azurite, kind: type[LocalMachine | AzureMachine], then: str
) -> None:
    """Whether it is tried again then or ended; and once it was swept, nothing else counts."""
    AzureMachine.azurite = azurite
    machine = kind()

    async def stopped(storage: Storage, after: int) -> bool:
        """Whether it was stopped after so many steps."""
        tenant, crashed = make_tenant(), False
        await storage.write(tenant, "a", chunked(b"old" * 1_000))
        upload = await storage.begin_upload(tenant, "a", size=100_000)
        for number in range(1, upload.parts + 1):
            part = b"x" * upload.length(number)
            await storage.write_part(tenant, upload.id, number, chunked(part))
        with machine.crashing(after):
            try:
                await storage.finish_upload(tenant, upload.id)
            except Crashed:
                crashed = True
        with suppress(FileMissing):
            await getattr(storage, then)(tenant, upload.id)
        stored = sum([info.size async for info in storage.list(tenant)])
        assert await storage.usage(tenant) >= stored, after
        assert stored == 100_000 or then == "abort_upload"
        await storage.sweep(tenant, older_than=timedelta(0))
        assert await storage.usage(tenant) == stored
        return crashed

    async def main() -> None:
        async with machine.opened() as storage:
            after = 0
            while await stopped(storage, after):
                after += 1
            assert after > 5

    asyncio.run(main())
