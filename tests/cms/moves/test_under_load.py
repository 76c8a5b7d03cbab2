"""A tenant moves while people read and write it: nobody notices, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from tests.cms.deployment import Deployment
from tests.cms.moves.loading import assert_once, crowd, grow
from tests.cms.moves.moving import Ground, everything, move, tenant_of


@pytest.mark.parametrize(
    ("one", "other"), [("file", "schema"), ("schema", "database"), ("database", "file")]
)
def test_nobody_who_reads_or_writes_notices_a_move(ground: Ground, one: str, other: str) -> None:
    async def main() -> None:
        await ground.make(one)
        async with ground.opened() as deployment:
            old = tenant_of(deployment)
            async with crowd(deployment, readers=4, writers=3, pause=0.02) as people:
                await asyncio.sleep(0.3)
                done = await move(deployment, other)
                await asyncio.sleep(0.3)
            print(f"{one} → {other}: {done.pause} ms, longest write {people.longest * 1000:.0f} ms")
            await assert_once(deployment, people)
            assert people.reads > 10
            await everything(deployment, tenant_of(deployment))
            await everything(deployment, old)  # as it was left

    asyncio.run(main())


def test_an_instance_that_knows_the_old_home_follows(ground: Ground) -> None:
    async def main() -> None:
        await ground.make("file")
        async with ground.opened() as one, ground.opened() as other:
            directory = other.product.platform.directory
            directory._freshness = 3600.0
            await directory.refresh(now=True)
            async with crowd(one, other, readers=4, writers=4, pause=0.02) as people:
                await asyncio.sleep(0.2)
                await move(one, "schema")
                await asyncio.sleep(0.3)
            await assert_once(one, people)
            assert tenant_of(other).tier == "schema"

    asyncio.run(main())


def test_an_instance_that_only_reads_sees_what_is_published_at_the_new_home(
    ground: Ground,
) -> None:
    async def main() -> None:
        await ground.make("file")
        async with ground.opened() as one, ground.opened() as other:
            directory = other.product.platform.directory
            directory._freshness = 3600.0
            await directory.refresh(now=True)
            assert "the top" in (await other.get("/deep/a/")).text
            await move(one, "schema")
            assert tenant_of(other).tier == "file"
            await one.do("pages.edit", path="/deep/a/", body="All new.\n")
            await one.do("pages.publish", path="/deep/a/")
            await asyncio.sleep(other.product.platform.heads.freshness)
            assert "All new." in (await other.get("/deep/a/")).text
            shown = await other.do("pages.show", path="/deep/a/")
            assert "All new." in shown.model_dump_json()

    asyncio.run(main())


async def _all_ways(ground: Ground, tiers: tuple[str, ...], deployments: list[Deployment]) -> None:
    one = deployments[0]
    for tier in tiers:
        here = tenant_of(one).tier
        async with crowd(*deployments, readers=20, writers=5, pause=0.5) as people:
            await asyncio.sleep(1.0)
            people.longest, began = 0.0, time.monotonic()
            done = await move(one, tier)
            seconds = time.monotonic() - began
            await asyncio.sleep(1.0)
        print(
            f"{here} → {tier}: {seconds:.1f} s, writes waited {done.pause} ms at the fence, "
            f"{people.longest * 1000:.0f} ms the longest; {people.reads} reads, "
            f"{len(people.acknowledged)} writes",
            flush=True,
        )
        await assert_once(one, people)
        assert done.pause is not None
        assert done.pause < LONGEST
        await one.do("redirects.set", source=f"/in/{tier}/", target="/deep/")
        await everything(one, tenant_of(one))


#: Milliseconds for which nobody can write, at most.
LONGEST = 1000
#: Each of the six ways once.
WAYS = ("schema", "database", "file", "database", "schema", "file")


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("instances", [1, 2])
def test_a_large_tenant_moves_every_way_under_load(ground: Ground, instances: int) -> None:
    """50,000 rows, 500 files, 20 readers and 5 writers. A second instance hardly ever looks into
    the directory by itself."""

    async def main() -> None:
        await ground.make()
        async with AsyncExitStack() as stack:
            deployments = [
                await stack.enter_async_context(ground.opened()) for _ in range(instances)
            ]
            for other in deployments[1:]:
                other.product.platform.directory._freshness = 3600.0
            await grow(deployments[0], rows=50_000, files=500)
            await _all_ways(ground, WAYS, deployments)

    asyncio.run(main())
