"""How a contract suite is run: one provider, opened afresh for each test.

A suite is a class of ``async`` tests marked with :func:`contract_test`. A plugin's tests subclass
it and set ``provider``, and ``settings`` if it needs some. The provider's name is in every test's
id.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from mosaic_core.provider import PlatformServices, Provider
from mosaic_core.testing.services import make_services

P = TypeVar("P")
S = TypeVar("S", bound="Contract[Any]")

#: Seconds that one test of a suite may take, unless it says otherwise.
LIMIT = 60.0


class Contract(Generic[P]):
    """The base of the suites."""

    #: What the plugin's hook returns (one of them, if it returns a list).
    provider: ClassVar[Provider[Any]]
    #: The database that it is run on, for the test's id; empty where there is one only.
    database: ClassVar[str] = ""
    #: Seconds that one test may take.
    limit: ClassVar[float] = LIMIT
    #: What would stand in ``[plugins.<name>]``.
    settings: Mapping[str, Any] = {}

    #: What the provider was opened with; set for each test.
    services: PlatformServices

    def make_services(self, data_dir: Path) -> PlatformServices:
        """What the provider gets. Override it to give something else."""
        return make_services(data_dir, provider=self.provider.name)

    def open(self, services: PlatformServices) -> AbstractAsyncContextManager[P]:
        """Opens the provider as the platform does. Override it to clean up around it."""
        settings = self.provider.settings.model_validate(dict(self.settings))
        return self.provider.open(settings, services)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "provider_name" in metafunc.fixturenames:
            name = self.provider.name
            label = f"{name}-{self.database}" if self.database else name
            metafunc.parametrize("provider_name", [name], ids=[label])


def contract_test(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Makes a pytest test of an ``async`` method that takes the opened provider, and whatever it is
    parametrized with.

    Opening, testing and closing happen in one task, as some SDKs need it.
    """

    @functools.wraps(test)
    def run(self: S, provider_name: str, tmp_path: Path, **given: Any) -> None:
        async def main() -> None:
            async with asyncio.timeout(self.limit), self.open(self.services) as opened:
                await test(self, opened, **given)

        self.services = self.make_services(tmp_path)
        asyncio.run(main())

    del run.__wrapped__  # pytest reads the signature through it
    _, _, *others = inspect.signature(test).parameters.values()
    *own, _ = inspect.signature(run).parameters.values()
    run.__signature__ = inspect.Signature([*own, *others])  # type: ignore[attr-defined]
    return run
