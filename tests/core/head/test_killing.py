"""kill -9, at any moment: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.core.head.processes import Worker
from tests.core.head.toys import Shown, Toys, a_box, opened, toy, toy_tenant
from tests.core.head.worker import sixty


def _writes_survive(folder: Path, kills: int) -> None:
    acknowledged: set[str] = set()
    newest = ""
    chance = random.Random(kills)

    async def look() -> None:
        nonlocal newest
        async with toy(folder) as toys:
            await toys.whole()
            assert await toys.files.check(toys.tenant) == []
            content = await toys.content()
            boxes = set(content.get("boxes", {}))
            pairs = {f"{r['left']}-{r['right']}" for r in content.get("pairs", {}).values() if r}
            assert boxes == pairs
            assert acknowledged <= boxes
            # The one that was being written may be there, if all of it is.
            assert len(boxes - acknowledged) <= 1
            acknowledged.update(boxes)
            log = [row.entity_id for row in await toys.log() if row.entity == "boxes"]
            shown = await toys.get(Shown, "/")
            assert (shown.text if shown else None) == (log[-1] if log else None)
            newest = log[-1] if log else ""

    asyncio.run(look())
    with Worker("nursery-endless", folder, 0, 1_000_000) as nursery:
        nursery.ready()
        for kill in range(kills):
            nursery.killed_child(chance.choice(["ready", "done", "done"]), chance.uniform(0, 0.06))
            done = nursery.words("done")
            assert done == [str(n) for n in range(len(done))]
            acknowledged |= {f"{kill}-{n}" for n in done}
            asyncio.run(look())
    print(f"kills: {kills}, acknowledged writes: {len(acknowledged)}")
    assert len(acknowledged) > kills


def test_ten_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    _writes_survive(tmp_path, 10)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_hundred_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    _writes_survive(tmp_path, 100)


def _provisioning_is_all_or_nothing(folder: Path, kills: int) -> None:
    chance = random.Random(kills)
    found = {True: 0, False: 0}

    async def look(started: list[str], done: set[str]) -> None:
        async with opened(folder) as files:
            for tenant_id in started:
                tenant = toy_tenant(int(tenant_id, 16))
                toys = Toys(files, tenant)
                there = toys.path.exists()
                assert there or tenant_id not in done
                if tenant_id not in done:
                    found[there] += 1
                if not there:
                    await files.provision(tenant, await sixty(tenant))
                assert (await toys.head()).version == 1
                assert await toys.whole() == 60
                assert await files.check(tenant) == []

    with Worker("nursery-provision", folder, 0, 1_000) as nursery:
        most = 1.2 * nursery.ready().round()
        for _ in range(kills):
            nursery.killed_child(chance.choice(["start", "done"]), chance.uniform(0, most))
            asyncio.run(look(nursery.words("start"), set(nursery.words("done"))))
    print(f"kills: {kills}, tenants in the making: {found}")
    assert sum(found.values()) == kills
    assert found[False]


def test_killed_provisioning_makes_a_whole_tenant_or_none(tmp_path: Path) -> None:
    _provisioning_is_all_or_nothing(tmp_path, 8)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_very_often_killed_provisioning_makes_a_whole_tenant_or_none(tmp_path: Path) -> None:
    _provisioning_is_all_or_nothing(tmp_path, 100)


def _nothing_haunts(folder: Path, kills: int) -> None:
    chance = random.Random(kills)

    async def look(number: int) -> None:
        async with opened(folder) as files:
            toys = Toys(files, toy_tenant(number))
            if toys.path.exists():
                await toys.whole()
                await files.drop(toys.tenant)
            await files.provision(toys.tenant)
            assert (await toys.head()).version == 0
            assert await toys.content() == {}
            assert await toys.count_up() == 1
            await toys.whole()

    with Worker("nursery-churn", folder, 0, 100_000) as nursery:
        nursery.ready()
        for number in range(kills):
            nursery.killed_child(chance.choice(["ready", "done"]), chance.uniform(0, 0.06))
            asyncio.run(look(number))


def test_a_killed_drop_leaves_nothing_that_haunts_the_next_tenant(tmp_path: Path) -> None:
    _nothing_haunts(tmp_path, 8)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_very_many_killed_drops_leave_nothing_that_haunts(tmp_path: Path) -> None:
    _nothing_haunts(tmp_path, 100)


def test_the_log_of_a_database_that_is_gone_is_not_replayed_into_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            toys = Toys(files, toy_tenant())
            draft = toys.path.with_suffix(".new")
            await files.provision(toys.tenant)
            await toys.head()  # which keeps the file open, so that its log stays
            await toys.add(a_box("ghost"))
            beside = {
                name: toys.path.with_name(f"{toys.path.name}{name}").read_bytes()
                for name in ("-wal", "-shm")
            }
            assert beside["-wal"]
            await files.drop(toys.tenant)
            for name, content in beside.items():
                toys.path.with_name(f"{toys.path.name}{name}").write_bytes(content)
                draft.with_name(f"{draft.name}{name}").write_bytes(content)
            await files.provision(toys.tenant)
            assert (await toys.head()).version == 0
            assert await toys.content() == {}
            assert await files.check(toys.tenant) == []

    asyncio.run(main())
