"""People who read and write a tenant all the time, while something is done to it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import func, select

from mosaic_cms.content.conflicts import EditConflict
from mosaic_cms.content.drafts import DraftStep
from mosaic_cms.content.models import Page, PageVersion, Redirect
from mosaic_core.head import TENANT, Write
from mosaic_core.types import new_id
from tests.cms.deployment import Deployment
from tests.cms.moves.moving import tenant_of
from tests.cms.test_web_files import store

_AT_ONCE = 1000
#: Visited all the time, and what has to be on each page.
PAGES = {"/": "Aurora", "/deep/a/": "the top", "/top/": "Younger"}


@dataclass(slots=True)
class Crowd:
    """What came of it all.

    Attributes:
        acknowledged: sources of the redirects that somebody was told are there.
        failures: what went wrong, in words.
        longest: seconds of the longest write, from asking to being told.
    """

    acknowledged: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    reads: int = 0
    longest: float = 0.0

    over: bool = False

    async def read(self, deployment: Deployment, pause: float) -> None:
        for path in itertools.cycle(PAGES):
            if self.over:
                return
            try:
                answer = await deployment.get(path)
                if answer.status_code != 200 or PAGES[path] not in answer.text:
                    self.failures.append(f"{path}: {answer.status_code}")
            except Exception as error:
                self.failures.append(f"{path}: {error!r}")
            self.reads += 1
            await asyncio.sleep(pause)

    async def write(self, deployment: Deployment, name: str, pause: float) -> None:
        for number in itertools.count():
            if self.over:
                return
            source = f"/{name}/{number}/"
            try:
                await self._do(deployment, "redirects.set", source=source, target="/deep/")
                self.acknowledged.append(source)
                if number % 5 == 0:
                    body = f"See [the top](/top/), the {number}th time, says {name}.\n"
                    await self._edit(deployment, path="/deep/a/", body=body)
                    await self._do(deployment, "pages.publish", path="/deep/a/")
            except Exception as error:
                self.failures.append(f"{source}: {error!r}")
            await asyncio.sleep(pause)

    async def _edit(self, deployment: Deployment, **given: str) -> None:
        """All edit one page: whoever is told that another was faster looks again."""
        while True:
            with suppress(EditConflict):
                return await self._do(deployment, "pages.edit", **given)

    async def _do(self, deployment: Deployment, name: str, **given: str) -> None:
        began = time.monotonic()
        await deployment.do(name, **given)
        self.longest = max(self.longest, time.monotonic() - began)


@asynccontextmanager
async def crowd(
    *deployments: Deployment, readers: int, writers: int, pause: float
) -> AsyncIterator[Crowd]:
    """They come in turn to each of several instances. None leaves in the middle of something."""
    made, epoch = Crowd(), tenant_of(deployments[0]).epoch
    instances = itertools.cycle(deployments)
    tasks = [asyncio.create_task(made.read(next(instances), pause)) for _ in range(readers)] + [
        asyncio.create_task(made.write(next(instances), f"w{n}-{epoch}", pause))
        for n in range(writers)
    ]
    try:
        yield made
    finally:
        made.over = True
        await asyncio.gather(*tasks)


async def assert_once(deployment: Deployment, crowd: Crowd) -> None:
    """Every write that was acknowledged is there, and happened once."""
    assert crowd.failures == []
    tenant, log = tenant_of(deployment), TENANT.changes
    platform = deployment.product.platform
    async with platform.persistence(tenant).session(tenant) as session:
        there = list(await session.scalars(select(Redirect.source)))
        assert set(crowd.acknowledged) <= set(there)
        rows = await session.execute(
            select(log.c.entity_id, func.count())
            .where(log.c.entity == "redirects", log.c.operation == "insert")
            .group_by(log.c.entity_id)
        )
        counts = [count for _, count in rows]
    assert set(counts) == {1}
    assert len(counts) == len(there)


async def grow(deployment: Deployment, rows: int, files: int) -> None:
    """Makes a tenant large: many versions of a page, each with a derived row and an entry of the
    log, and files."""
    scope = deployment.scope()
    async with scope.read() as session:
        page = (await session.scalars(select(Page).where(Page.path == "/top/"))).one()
        version = (
            await session.scalars(select(PageVersion).where(PageVersion.page_id == page.id))
        ).first()
        assert version is not None
        like = {
            column.key: getattr(version, column.key) for column in PageVersion.__table__.columns
        }

    def adding(first: int, count: int) -> Callable[[Write], Awaitable[None]]:
        async def fn(write: Write) -> None:
            for number in range(first, first + count):
                again = {"id": new_id(), "number": 1000 + number}
                write.session.add(PageVersion(**like | again))
                step = {"draft_id": new_id(), "revision": number, "size": 2, "step": {}}
                write.session.add(DraftStep(**step))

        return fn

    for first in range(0, rows // 3, _AT_ONCE):
        await scope.write(adding(first, min(_AT_ONCE, rows // 3 - first)))
    for number in range(files):
        await store(deployment, "aurora", f"{number}.txt", f"File {number}.\n".encode() * 200)
