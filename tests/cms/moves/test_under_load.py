"""A tenant moves while people read and write it: nobody notices, and nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from tests.cms.moves.loading import assert_once, crowd
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
