"""Files move too, where the two homes keep them in different places."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mosaic_core.errors import QuotaExceeded
from mosaic_core.moves import Mover, Step
from mosaic_core.moves.files import FileCopies
from mosaic_core.persistence import HeadStatus
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext
from tests.azurite import Azurite
from tests.cms.deployment import Deployment
from tests.cms.moves.killing import dying_at
from tests.cms.moves.loading import assert_once, crowd, grow
from tests.cms.moves.moving import Ground, everything, move, tenant_of
from tests.cms.moves.test_killing import Died, die
from tests.cms.test_web_files import store


@pytest.fixture
def cloud(ground: Ground, azurite: Azurite) -> Ground:
    """A tier whose files are in a cloud."""
    ground.plugins["storage_azureblob"] = azurite.settings("shared")
    ground.tiers["cloud"] = {"persistence": "tenancy_sqlite", "storage": "storage_azureblob"}
    return ground


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 50_000):
        yield content[start : start + 50_000]


async def _store(deployment: Deployment, key: str, content: bytes) -> None:
    tenant = tenant_of(deployment)
    storage = deployment.product.platform.storage(tenant)
    await storage.write(tenant, key, _chunks(content))


async def _files(storage: Storage, tenant: TenantContext) -> dict[str, str]:
    return {info.key: info.digest async for info in storage.list(tenant)}


def _raw(deployment: Deployment, tenant: TenantContext) -> Storage:
    return deployment.product.platform._storage_at(tenant)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_files_are_where_the_tenant_lives_and_back_again(cloud: Ground) -> None:
    async def main() -> None:
        await cloud.make()
        async with cloud.opened() as deployment:
            old = tenant_of(deployment)
            content = {f"media/{n}.bin": bytes([n]) * (n * 60_000) for n in range(5)}
            for key, bytes_ in content.items():
                await _store(deployment, key, bytes_)
            await move(deployment, "cloud")
            new = tenant_of(deployment)
            expected = {key: _digest(one) for key, one in content.items()}
            assert await _files(_raw(deployment, new), new) == expected
            assert await _files(_raw(deployment, old), old) == expected
            # What is changed in the cloud is changed back.
            storage = deployment.product.platform.storage(new)
            await storage.delete(new, "media/1.bin")
            await _store(deployment, "media/new.bin", b"new")
            await move(deployment, "file")
            back = tenant_of(deployment)
            expected |= {"media/new.bin": _digest(b"new")}
            del expected["media/1.bin"]
            assert await _files(_raw(deployment, back), back) == expected

    asyncio.run(main())


def test_a_cloud_gets_a_few_files_at_a_time(cloud: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    together, most = 0, 0

    async def main() -> None:
        await cloud.make()
        async with cloud.opened() as deployment:
            old = tenant_of(deployment)
            for number in range(12):
                await _store(deployment, f"{number}.bin", b"x" * number)
            new = TenantContext(old.tenant_id, old.slug, old.name, "cloud", epoch=2)
            storage = type(_raw(deployment, new))
            write = storage.write

            async def counted(self: Any, *given: Any, **named: Any) -> Any:
                nonlocal together, most
                together += 1
                most = max(most, together)
                await asyncio.sleep(0.02)
                try:
                    return await write(self, *given, **named)
                finally:
                    together -= 1

            monkeypatch.setattr(storage, "write", counted)
            await move(deployment, "cloud")
            assert len(await _files(_raw(deployment, new), new)) == 12

    asyncio.run(main())
    assert (together, most) == (0, 4)


def _during(step: Step, what: Any) -> pytest.MonkeyPatch:
    effect, patch = Mover._effect, pytest.MonkeyPatch()

    async def doing(self: Mover, now: Step) -> None:
        if now is step:
            await what()
        await effect(self, now)

    patch.setattr(Mover, "_effect", doing)
    return patch


@pytest.fixture
def patches() -> Iterator[list[pytest.MonkeyPatch]]:
    made: list[pytest.MonkeyPatch] = []
    yield made
    for patch in made:
        patch.undo()


@pytest.mark.parametrize("step", [Step.VERIFY, Step.SETTLE, Step.FENCE, Step.SWITCH, Step.OPEN])
def test_a_file_that_is_stored_at_any_moment_of_a_move_is_there(
    cloud: Ground, step: Step, patches: list[pytest.MonkeyPatch]
) -> None:
    async def main() -> None:
        await cloud.make()
        async with cloud.opened() as deployment:
            old = tenant_of(deployment)
            storage = deployment.product.platform.storage(old)
            await _store(deployment, "gone.txt", b"gone")
            storing: list[asyncio.Task[Any]] = []

            async def store() -> None:
                """By somebody who knows the old home; it is not waited for."""
                storing.append(
                    asyncio.create_task(storage.write(old, "late.txt", _chunks(b"late")))
                )
                storing.append(asyncio.create_task(storage.delete(old, "gone.txt")))
                await asyncio.sleep(0.05)

            patches.append(_during(step, store))
            await move(deployment, "cloud")
            await asyncio.gather(*storing)
            new = tenant_of(deployment)
            assert await _files(_raw(deployment, new), new) == {"late.txt": _digest(b"late")}

    asyncio.run(main())


def test_rows_are_written_while_it_is_looked_at_which_files_there_are(
    cloud: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes; whoever stores a file then waits for the end of the move."""
    level, settled = FileCopies.level, asyncio.Event()

    async def slow(self: FileCopies, *given: Any) -> int:
        head = await self.source.persistence.head(self.source.tenant)
        if head.status is HeadStatus.SETTLED:
            settled.set()
            await asyncio.sleep(1.5)
        return await level(self, *given)

    async def main() -> None:
        await cloud.make()
        async with cloud.opened() as deployment:
            monkeypatch.setattr(FileCopies, "level", slow)
            moving = asyncio.create_task(move(deployment, "cloud"))
            await settled.wait()
            storing = asyncio.create_task(_store(deployment, "late.txt", b"late"))
            for number in range(3):
                await deployment.do("redirects.set", source=f"/{number}/", target="/deep/")
            assert not moving.done()
            assert not storing.done()
            done = await moving
            await storing
            assert done.pause < 1500
            new = tenant_of(deployment)
            assert await _files(_raw(deployment, new), new) == {"late.txt": _digest(b"late")}
            await everything(deployment, new)

    asyncio.run(main())


@pytest.mark.parametrize("step", [Step.SETTLE, Step.FENCE, Step.SWITCH])
def test_a_file_that_is_stored_after_the_mover_was_killed_is_there(
    cloud: Ground, step: Step
) -> None:
    async def main() -> None:
        await cloud.make()
        async with cloud.opened() as deployment:
            await _store(deployment, "gone.txt", b"gone")
            old = tenant_of(deployment)
            with pytest.MonkeyPatch.context() as patch:
                dying_at(patch, step, "between", die)
                with pytest.raises(Died):
                    await move(deployment, "cloud")
            storage = deployment.product.platform.storage(old)
            storing = asyncio.gather(
                storage.write(old, "late.txt", _chunks(b"late")), storage.delete(old, "gone.txt")
            )
            await asyncio.sleep(0.2)
            assert not storing.done()
            assert await deployment.product.platform.moving.go_on() == 1
            await storing
            new = tenant_of(deployment)
            assert new.tier == "cloud"
            assert await _files(_raw(deployment, new), new) == {"late.txt": _digest(b"late")}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("ways", "files", "rows", "readers", "writers", "pause"),
    [
        (("cloud",), 8, 30, 2, 1, 0.1),
        pytest.param(("cloud", "file"), 500, 50_000, 20, 5, 0.5, marks=pytest.mark.campaign),
    ],
)
@pytest.mark.timeout(3600)
def test_nobody_who_stores_files_notices_that_they_move(
    cloud: Ground,
    ways: tuple[str, ...],
    files: int,
    rows: int,
    readers: int,
    writers: int,
    pause: float,
) -> None:
    """From a folder into a cloud, and back, while others read and write."""

    async def main() -> None:
        await cloud.make()
        async with cloud.opened() as deployment:
            await grow(deployment, rows=rows, files=files)
            stored: set[str] = set()

            async def keep_storing(tier: str, over: asyncio.Event) -> None:
                number = 0
                while not over.is_set():
                    content = f"Nr. {number} on the way to {tier}.\n".encode() * 100
                    await store(deployment, "aurora", f"{tier}-{number}.txt", content)
                    stored.add(_digest(content))
                    number += 1
                    await asyncio.sleep(pause)

            for tier in ways:
                over = asyncio.Event()
                storing = asyncio.create_task(keep_storing(tier, over))
                people = crowd(deployment, readers=readers, writers=writers, pause=pause)
                async with people as crowded:
                    await asyncio.sleep(0.3)
                    began = time.monotonic()
                    done = await move(deployment, tier)
                    seconds = time.monotonic() - began
                    await asyncio.sleep(0.3)
                over.set()
                await storing
                print(
                    f"to {tier}: {seconds:.1f} s, writes waited {done.pause} ms at the fence, "
                    f"{crowded.longest * 1000:.0f} ms the longest; {len(stored)} files stored",
                    flush=True,
                )
                await assert_once(deployment, crowded)
                new = tenant_of(deployment)
                assert new.tier == tier
                await everything(deployment, new)
                there = await _files(_raw(deployment, new), new)
                assert stored <= set(there.values())
                assert len(there) == files + len(stored)

    asyncio.run(main())


@pytest.mark.parametrize("tiers", [("cloud",), ("cloud", "other", "cloud")])
def test_a_file_in_parts_that_was_begun_before_moves_is_finished_after_them(
    cloud: Ground, tiers: tuple[str, ...]
) -> None:
    async def main() -> None:
        await cloud.make()
        async with cloud.opened() as deployment:
            content = b"parts of it " * 30_000
            begun = await deployment.do("media.begin_upload", name="a.bin", size=len(content))
            for tier in tiers:
                await move(deployment, tier)
            tenant = tenant_of(deployment)
            storage = deployment.product.platform.storage(tenant)
            (upload,) = await deployment.do("media.uploads")
            assert upload.missing == begun.missing
            row = await deployment.do("media.show_upload", upload=begun.id)
            assert row.part_size == begun.part_size
            async with deployment.product.platform.read(tenant) as session:
                from mosaic_cms.content.models import MediaUpload

                stored = await session.get_one(MediaUpload, begun.id)
            assert stored.parts_id is not None
            for number in begun.missing:
                part = content[(number - 1) * begun.part_size : number * begun.part_size]
                await storage.write_part(tenant, stored.parts_id, number, _chunks(part))
            info = await storage.finish_upload(tenant, stored.parts_id)
            assert info.digest == _digest(content)
            assert (await _raw(deployment, tenant).stat(tenant, info.key)).digest == info.digest

    asyncio.run(main())


def test_files_that_have_no_room_in_the_cloud_stay_where_they_are(cloud: Ground) -> None:
    cloud.tiers["cloud"] |= {"limits": {"files": 100_000}}

    async def main() -> None:
        await cloud.make()
        async with cloud.opened() as deployment:
            old = tenant_of(deployment)
            for number in range(3):
                await _store(deployment, f"{number}.bin", b"x" * 40_000)
            with pytest.raises(QuotaExceeded):
                await move(deployment, "cloud")
            assert tenant_of(deployment) == old
            there = TenantContext(old.tenant_id, old.slug, old.name, "cloud", epoch=2)
            assert await _files(_raw(deployment, there), there) == {}
            assert len(await _files(_raw(deployment, old), old)) == 3

    asyncio.run(main())


def test_the_old_home_is_removed_once_its_time_has_come(cloud: Ground) -> None:
    async def main() -> None:
        await cloud.make()
        async with cloud.opened() as deployment:
            platform = deployment.product.platform
            old = tenant_of(deployment)
            await _store(deployment, "a.txt", b"a")
            await move(deployment, "cloud")
            assert await platform.moving.sweep() == 0
            assert await platform.persistence(old).head(old)
            later = datetime.now(UTC) + timedelta(days=8)
            assert await platform.moving.sweep(now=later) == 1
            assert await platform.moving.sweep(now=later) == 0
            assert await _files(_raw(deployment, old), old) == {}
            new = tenant_of(deployment)
            assert await _files(_raw(deployment, new), new) == {"a.txt": _digest(b"a")}
            # Whoever still knows the old home finds the new one all the same.
            await platform.write(old, _nothing, actor="test", action="test")
            assert (await platform.heads.look(old)).epoch == 2

    asyncio.run(main())


def test_who_knows_an_old_home_only_removes_no_files_that_are_in_use_again(cloud: Ground) -> None:
    async def main() -> None:
        await cloud.make()
        async with cloud.opened(freshness=60.0) as deployment, cloud.opened() as other:
            await _store(other, "a.txt", b"a")
            await move(other, "cloud")
            await deployment.product.platform.directory.refresh(now=True)
            assert tenant_of(deployment).tier == "cloud"
            await move(other, "file")  # the files are where they were before
            later = datetime.now(UTC) + timedelta(days=8)
            await deployment.product.platform.moving.sweep(now=later)
            home = tenant_of(other)
            assert await _files(_raw(other, home), home) == {"a.txt": _digest(b"a")}
            assert (await other.get("/deep/a/")).status_code == 200

    asyncio.run(main())


async def _nothing(write: Any) -> None:
    """A write that changes nothing."""
