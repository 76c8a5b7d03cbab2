"""A deployment that is closed and opened again, under a clock that is set."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import time_machine

from tests.cms.deployment import Deployment, opened

START = datetime(2031, 1, 15, 8, 0, tzinfo=UTC)


class World:
    """A process after the other over one folder.

    Attributes:
        deployment: that of the process which runs now.
        clock: the machine's, as far as Python sees it.
    """

    deployment: Deployment

    def __init__(self, root: Path, runner: asyncio.Runner, clock: time_machine.Traveller) -> None:
        self.clock = clock
        self._root, self._runner = root, runner
        self._opened: AbstractAsyncContextManager[Deployment]
        self._slugs = map("site-{}".format, count())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def open(self) -> None:
        self._opened = opened(self._root)
        self.deployment = self.run(self._opened.__aenter__())  # type: ignore[arg-type]

    def close(self) -> None:
        self.run(self._opened.__aexit__(None, None, None))  # type: ignore[arg-type]

    def new_tenant(self) -> str:
        """A tenant with an empty site; its slug."""
        slug = next(self._slugs)
        self.run(self.deployment.rule("tenants.create", slug=slug, name="Site", tier="open"))
        return slug


@contextmanager
def opened_world(root: Path) -> Iterator[World]:
    """Opens the deployment in a folder."""
    with asyncio.Runner() as runner, time_machine.travel(START) as clock:
        world = World(root, runner, clock)
        world.open()
        try:
            yield world
        finally:
            world.close()
