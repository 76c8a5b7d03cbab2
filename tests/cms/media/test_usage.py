"""What a tenant's library knows of is what is stored, once it was swept, and what counts towards
the limit is never less: random sequences, with processes that are killed anywhere in them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from mosaic_cms.content.models import Media, MediaUpload, MediaVersion
from mosaic_cms.incoming import Incoming
from mosaic_cms.media.sweep import sweep
from mosaic_cms.pictures.geometry import Shape
from mosaic_cms.pictures.picture import Wanted, made_in
from mosaic_cms.pictures.renditions import Source
from mosaic_core.errors import MosaicError
from mosaic_core.storage import Storage
from tests.cms.deployment import Deployment, Deployments
from tests.cms.media.hostile import located
from tests.cms.media.sending import send, send_in_parts
from tests.cms.pictures.files import photograph

PICTURES = (photograph("JPEG", 400, 300), located("JPEG"))
CONTENTS = (*PICTURES, b"words\n", b"more words\n" * 500, b"MZ refused")
STEPS = ("send", "replace", "restore", "delete", "undelete", "purge", "parts", "render", "sweep")
#: A step, which of the things there are it is about, and after how many calls it is killed.
Steps = list[tuple[str, int, int | None]]
SEQUENCES = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.none() | st.integers(0, 12)),
    min_size=3,
    max_size=10,
)


class Killed(BaseException):
    """The process is no more: nothing that it would have done is done."""


class Mortal:
    """A deployment's storage and writes, which end after so many calls, in the middle of one."""

    def __init__(self, deployment: Deployment) -> None:
        self.left: int | None = None
        self._platform = deployment.product.platform
        self._storage, self._write = self._platform.storage, self._platform.write

    def _tick(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    def storage(self, tenant: Any) -> Any:
        return _Storage(self._storage(tenant), self._tick)

    async def write(self, *given: Any, **named: Any) -> Any:
        self._tick()
        result = await self._write(*given, **named)
        self._tick()
        return result


class _Storage:
    def __init__(self, storage: Storage, tick: Any) -> None:
        self._storage, self._tick = storage, tick

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._storage, name)
        if name in {"read", "list", "lease"}:
            return real

        async def call(*given: Any, **named: Any) -> Any:
            self._tick()
            result = await real(*given, **named)
            self._tick()
            return result

        return call


class World:
    """A tenant's library, and what is done to it."""

    def __init__(self, deployment: Deployment, mortal: Mortal) -> None:
        self.deployment, self.mortal = deployment, mortal
        self.scope = deployment.scope()
        self.storage = mortal._storage(self.scope.tenant)

    async def step(self, what: str, which: int, kill: int | None) -> None:
        self.mortal.left = kill
        try:
            await getattr(self, f"_{what}")(which)
        except (Killed, MosaicError):
            pass
        finally:
            self.mortal.left = None
        await asyncio.sleep(0)

    async def _pick(self, which: int, *, binned: bool = False) -> str:
        views = await self.deployment.do("media.bin" if binned else "media.list")
        found = [view.media.reference if binned else view.reference for view in views]
        return str(found[which % len(found)]) if found else "media:none"

    async def _send(self, which: int) -> None:
        await send(self.deployment, CONTENTS[which % len(CONTENTS)], "a.txt")

    async def _replace(self, which: int) -> None:
        content = Incoming.of(CONTENTS[which % len(CONTENTS)])
        media = await self._pick(which)
        await self.deployment.do("media.replace", media=media, content=content, name="b.txt")

    async def _restore(self, which: int) -> None:
        await self.deployment.do("media.restore", media=await self._pick(which), number=1)
        if which % 2:
            await self.deployment.do("media.forget_versions", media=await self._pick(which))

    async def _delete(self, which: int) -> None:
        await self.deployment.do("media.delete", media=await self._pick(which))

    async def _undelete(self, which: int) -> None:
        media = await self._pick(which, binned=True)
        await self.deployment.do("media.restore_from_bin", media=media)

    async def _purge(self, which: int) -> None:
        media = await self._pick(which, binned=True)
        await self.deployment.do("media.purge", media=media)

    async def _parts(self, which: int) -> None:
        content = CONTENTS[which % len(CONTENTS)]
        upload = await self.deployment.do("media.begin_upload", name="c.txt", size=len(content))
        await send_in_parts(self.deployment, upload, content)
        end = "media.abort_upload" if which == 9 else "media.finish_upload"
        await self.deployment.do(end, upload=upload.id)

    async def _render(self, which: int) -> None:
        async with self.scope.read() as session:
            rows = list(await session.scalars(select(Media).order_by(Media.id)))
        pictures = [row for row in rows if row.width]
        if pictures:
            row = pictures[which % len(pictures)]
            renditions = self.deployment.product.renditions
            storage = self.mortal.storage(self.scope.tenant)
            wanted = Wanted(Shape(), 320, "webp")
            await renditions.get(storage, self.scope.tenant, Source(row.key, row.size), wanted)

    async def _sweep(self, which: int) -> None:
        await self.deployment.do("media.sweep")

    async def there(self) -> dict[str, int]:
        listed = self.storage.list(self.scope.tenant)
        return {info.key: info.size async for info in listed}

    async def check(self) -> None:
        """After all that, another process clears up, a day later."""
        product = self.deployment.product
        await product.settle_all()
        later = product.timekeeper.now() + timedelta(days=2)
        await sweep(self.scope, later, older_than=timedelta())
        there = await self.there()
        async with self.scope.read() as session:
            assert list(await session.scalars(select(MediaUpload))) == []
            rows = [*await session.scalars(select(Media))]
            versions = [*await session.scalars(select(MediaVersion))]
        known = {row.key: row.size for row in (*rows, *versions)}
        folders = {key.rpartition("/")[0] for key in known}
        made = {key: size for key, size in there.items() if made_in(key) in folders}
        assert there == known | made, "what is stored is what is known, and renditions of it"
        assert await self.storage.usage(self.scope.tenant) == sum(there.values())


@contextlib.asynccontextmanager
async def mortal_world(deployment: Deployment) -> AsyncIterator[World]:
    mortal, platform = Mortal(deployment), deployment.product.platform
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(platform, "storage", mortal.storage)
        patched.setattr(platform, "write", mortal.write)
        yield World(deployment, mortal)


def search(deployments: Deployments, examples: int) -> None:
    with deployments.held() as (deployment, runner):

        async def run(steps: Steps) -> None:
            async with mortal_world(deployment) as world:
                for step in steps:
                    await world.step(*step)
                    counted = await world.storage.usage(world.scope.tenant)
                    assert counted >= sum((await world.there()).values()), step
                await world.check()

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(SEQUENCES)
        def sequence(steps: Steps) -> None:
            runner.run(run(steps))

        sequence()


def test_what_is_stored_is_what_the_library_knows_of(deployments: Deployments) -> None:
    search(deployments, 12)


@pytest.mark.campaign
def test_what_is_stored_is_what_the_library_knows_of_in_the_long_run(
    deployments: Deployments,
) -> None:
    search(deployments, 250)


def test_who_served_what_is_included_goes_on_slowly_and_is_told(deployments: Deployments) -> None:
    limits = {"bandwidth_per_month": 1_000, "throttled_bits_per_second": 800_000}
    where = {"persistence": "tenancy_sqlite", "storage": "storage_local"}

    async def scenario(deployment: Deployment) -> None:
        async def took(count: int, host: str = "aurora.mosaic.test") -> tuple[float, int]:
            began, size = time.monotonic(), 0
            for _ in range(count):
                size += int((await deployment.get("/", host)).headers["content-length"])
            return time.monotonic() - began, size

        usage = await deployment.do("media.usage")
        assert (usage.throttled, usage.advice) == (False, "")
        await took(2)
        for part in (deployment.product.ledger.flush, deployment.product.throttle.look):
            await part()
        usage = await deployment.do("media.usage")
        assert usage.throttled
        assert "Move to a higher tier" in usage.advice
        scope = {"method": "GET", "path": "/", "headers": [(b"host", b"aurora.mosaic.test")]}
        assert deployment.app.kept({**scope, "query_string": b""}) is None
        seconds, size = await took(5)
        assert seconds >= 0.8 * size / 100_000
        assert deployment.product.throttle.slow.keys() == {deployment.scope().tenant.tenant_id}

        throttle, tenant = deployment.product.throttle, deployment.scope().tenant.tenant_id
        waiting = asyncio.create_task(throttle.pace(tenant, 3_000_000))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):  # the refusal does not wait behind the others
            crowded = await deployment.get("/")
        assert (crowded.status_code, crowded.headers["retry-after"]) == (503, "30")
        waiting.cancel()

    deployments(scenario, tiers={"open": {**where, "limits": limits}})


def test_what_is_served_is_counted_for_its_tenant(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def served(slug: str = "aurora") -> int:
            return int((await deployment.do("media.usage", slug)).served)

        picture = (await send(deployment, PICTURES[0], alt="A kiln")).media
        assert await served() == 0
        sizes = [len((await deployment.get("/")).content) for _ in range(2)]
        sizes.append(len((await deployment.get(picture.url)).content))
        sizes.append(len((await deployment.get(picture.url, range="bytes=0-99")).content))
        sizes.append(len((await deployment.get("/nothing/")).content))
        await deployment.get("/", method="HEAD")
        kept = deployment.app.kept(
            {
                "method": "GET",
                "path": "/",
                "query_string": b"",
                "headers": [(b"host", b"aurora.mosaic.test"), (b"accept-encoding", b"gzip")],
            }
        )
        assert kept is not None
        sizes.append(len(kept[1]))
        first = await deployment.ask("/", [(b"host", b"aurora.mosaic.test")])
        tag = [(b"host", b"aurora.mosaic.test"), (b"if-none-match", first.headers["etag"].encode())]
        sizes.append(len(first.body))
        assert (await deployment.ask("/", tag)).status == 304
        raw = await served()
        assert raw > 0
        assert await served("bread") == 0
        await deployment.product.ledger.flush()
        assert await served() == raw, "written down, and no more"
        await deployment.get("/-/ready")
        body = await deployment.ask(picture.url.replace(" ", "%20"), tag[:1])
        assert await served() == raw + len(body.body)
        view = await deployment.rule("tenants.show", slug="aurora")
        assert (view.served, view.stored) == (raw + len(body.body), len(PICTURES[0]))

    # What was seen counts as fresh for longer than a slow machine takes for all of this.
    deployments(scenario, platform={"freshness": 60.0})
