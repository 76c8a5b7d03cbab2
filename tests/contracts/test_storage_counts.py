"""What counts is never less than what is stored, and exactly that once it was swept: random
sequences with crashes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
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

from mosaic_core.storage import Storage
from mosaic_core.testing.services import make_services
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
