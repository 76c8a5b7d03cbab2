"""What counts is never less than what is stored, and exactly that once it was swept: random
sequences with crashes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis.stateful import run_state_machine_as_test
from mosaic_storage_local.folder import LocalFolder

from mosaic_core.storage import Storage
from mosaic_core.testing.services import make_services
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


@pytest.mark.parametrize("length", LENGTHS)
def test_local_storage_counts_what_it_stores(length: Any) -> None:
    run_state_machine_as_test(LocalMachine, settings=length)
