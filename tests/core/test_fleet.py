"""All tenants are migrated: in waves, paused at the first failures, gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mosaic_core.directory import Work
from mosaic_core.directory.rollouts import anything_left
from mosaic_core.errors import DatabaseDamaged, LeaseTaken, RolloutPaused
from mosaic_core.fleet import Rollout, correct_revisions, migrate_fleet
from mosaic_core.opening import open_platform
from mosaic_core.platform import Platform, platform_database, platform_history
from mosaic_core.settings import make_settings
from mosaic_core.tenants import TenantContext, TenantStatus
from mosaic_core.testing.tables import toy_schema
from tests.platforms import Place

#: The revision that all come from, and the one that they come to.
OLD, NEW = toy_schema().history.current, toy_schema(wider=True).history.current


def tenant(number: int) -> TenantContext:
    return TenantContext(f"{number:032x}", f"t{number}", "Toys", "small")


class Ground(NamedTuple):
    """Where a fleet is, and its platform database."""

    folder: Path
    place: Place


@asynccontextmanager
async def fleet(
    ground: Ground, size: int = 0, *, lease: float = 2.0, **migrate: Any
) -> AsyncIterator[Platform]:
    """A platform of newer code; ``size`` tenants are made by older code first."""
    tiers = {"small": {"persistence": "tenancy_sqlite", "storage": "storage_local"}}
    settings = make_settings(
        {
            "platform": {"lease": lease},
            "tiers": tiers,
            "migrate": migrate,
            **ground.place.settings,
        },
        root=ground.folder,
    )
    database = platform_database(settings, platform_history())
    await database.migrate()
    await database.close()
    if size:
        async with open_platform(settings, toy_schema()) as platform:
            for number in range(1, size + 1):
                await platform.create(tenant(number), actor="tester")
    async with open_platform(settings, toy_schema(wider=True)) as platform:
        yield platform


def in_a_loop(test: Callable[[Ground], Coroutine[Any, Any, None]]) -> Callable[[Path, Place], None]:
    def run(tmp_path: Path, place: Place) -> None:
        asyncio.run(test(Ground(tmp_path, place)))

    return run


class Migrating:
    """Migrates tenants, but those with these slugs fail."""

    def __init__(self, platform: Platform, *bad: str) -> None:
        self.platform = platform
        self.bad = set(bad)
        self.order: list[str] = []
        self.waves: dict[str, int] = {}
        self.running = self.most = 0

    async def one(self, tenant: TenantContext, revision: str) -> None:
        assert revision == OLD
        self.order.append(tenant.slug)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        try:
            if tenant.slug in self.bad:
                raise DatabaseDamaged(f"{tenant.slug} is broken.", hint="Mend it.")
            await self.platform.migrate(tenant, actor="tester")
        finally:
            self.running -= 1

    async def run(self, *, resume: bool = False) -> Rollout:
        return await migrate_fleet(
            self.platform, self.one, actor="tester", progress=self._progress, resume=resume
        )

    def _progress(self, wave: str, done: int, of: int) -> None:
        self.waves[wave] = of
        assert done <= of


async def revisions(platform: Platform) -> set[str]:
    return {revision for _, revision in await platform.directory.revisions()}


@in_a_loop
async def test_it_goes_in_waves(ground: Ground) -> None:
    async with fleet(ground, 13, canaries=["t4", "t9", "nobody"], concurrency=3) as platform:
        work = Migrating(platform)
        done = await work.run()
        assert work.order[:3] == ["t4", "t9", "t1"]
        assert work.waves == {"canaries": 2, "1 %": 1, "all": 10}
        assert work.most == 3
        assert sorted(work.order) == sorted(f"t{n}" for n in range(1, 14))
        assert done.whole
        assert len(done.migrated) == 13
        assert await revisions(platform) == {NEW}
        assert await Migrating(platform).run() == Rollout()  # nothing to do


@in_a_loop
async def test_without_canaries_the_youngest_tenant_comes_first(ground: Ground) -> None:
    async with fleet(ground, 3) as platform:
        work = Migrating(platform)
        await work.run()
        assert work.order[0] == "t3"


@in_a_loop
async def test_it_pauses_at_the_first_failure_and_says_whose(ground: Ground) -> None:
    async with fleet(ground, 4, canaries=["t2"]) as platform:
        work = Migrating(platform, "t2")
        done = await work.run()
        assert work.order == ["t2"]
        assert (done.wave, done.waiting, done.migrated) == ("canaries", 3, [])
        assert done.failed == {tenant(2).tenant_id: "t2 is broken. Mend it."}
    async with fleet(ground) as platform:  # another process
        again = Migrating(platform)
        with pytest.raises(RolloutPaused, match=r"canaries[^$]*t2: t2 is broken") as paused:
            await again.run()
        assert "--resume" in paused.value.hint
        assert again.order == []


@in_a_loop
async def test_what_failed_comes_last_when_it_goes_on_and_stops_nobody(ground: Ground) -> None:
    async with fleet(ground, 5, canaries=["t2"], concurrency=1) as platform:
        await Migrating(platform, "t2").run()
        work = Migrating(platform, "t2")
        done = await work.run(resume=True)
        assert work.order[-1] == "t2"
        assert len(done.migrated) == 4
        assert list(done.failed) == [tenant(2).tenant_id]
        assert done.waiting == 0
        with pytest.raises(RolloutPaused):
            await Migrating(platform).run()
        assert (await Migrating(platform).run(resume=True)).whole  # mended
        assert (await Migrating(platform).run()).whole


@in_a_loop
async def test_another_failure_pauses_it_again(ground: Ground) -> None:
    async with fleet(ground, 6, canaries=["t2"], concurrency=1) as platform:
        await Migrating(platform, "t2").run()
        done = await Migrating(platform, "t2", "t1").run(resume=True)
        assert set(done.failed) == {tenant(1).tenant_id, tenant(2).tenant_id}
        assert done.waiting > 0


@in_a_loop
async def test_a_few_failures_can_be_allowed(ground: Ground) -> None:
    async with fleet(ground, 5, canaries=["t5"], failures=3, concurrency=1) as platform:
        done = await Migrating(platform, "t2", "t3").run()
        assert (len(done.migrated), len(done.failed), done.waiting) == (3, 2, 0)


@in_a_loop
async def test_an_error_of_a_migration_is_that_tenant_s(ground: Ground) -> None:
    async with fleet(ground, 2, canaries=["t1"]) as platform:

        async def broken(tenant: TenantContext, revision: str) -> None:
            raise ZeroDivisionError("in the migration")

        done = await migrate_fleet(platform, broken, actor="t", progress=lambda *_: None)
        assert done.failed == {tenant(1).tenant_id: "ZeroDivisionError: in the migration"}


@in_a_loop
async def test_a_tenant_that_is_being_moved_is_left_alone_and_no_failure(ground: Ground) -> None:
    async with fleet(ground, 3) as platform:
        leases = platform.directory.leases
        async with leases.held(tenant(2), Work.MOVE, holder="the mover"):
            done = await Migrating(platform).run()
        assert len(done.migrated) == 2
        assert "is being moved" in done.busy[tenant(2).tenant_id]
        assert not done.whole
        assert (await Migrating(platform).run()).whole


@in_a_loop
async def test_nor_is_one_touched_whose_mover_was_killed(ground: Ground) -> None:
    async with fleet(ground, 2) as platform:
        await platform.moving.moves.begin(tenant(1), "large", actor="tester")
        done = await Migrating(platform).run()
        assert [one.slug for one in done.migrated] == ["t2"]
        assert "on its way to the large tier" in done.busy[tenant(1).tenant_id]


@in_a_loop
async def test_two_operators_do_not_race(ground: Ground) -> None:
    async with fleet(ground, 6, concurrency=1) as one, fleet(ground, concurrency=1) as two:
        works = Migrating(one), Migrating(two)
        done = await asyncio.gather(*(work.run() for work in works), return_exceptions=True)
        refused = [x for x in done if isinstance(x, LeaseTaken)]
        assert all("'the fleet' is being migrated" in str(x) for x in refused)
        ran = [x for x in done if isinstance(x, Rollout)]
        assert len(ran) + len(refused) == 2
        assert sorted(works[0].order + works[1].order) == [f"t{n}" for n in range(1, 7)]
        assert await revisions(one) == {NEW}


@in_a_loop
async def test_tenants_are_served_by_older_code_until_all_are_done(ground: Ground) -> None:
    async with fleet(ground, 2) as newer, open_platform(newer.settings, toy_schema()) as older:
        for number in (1, 2):
            await newer.migrate(tenant(number), actor="tester")
            for other in (1, 2):
                there = older.directory.named(f"t{other}")
                async with older.persistence(there).session(there):
                    pass


@in_a_loop
async def test_a_tenant_that_is_not_there_is_no_tenant_behind(ground: Ground) -> None:
    async with fleet(ground, 1) as platform:
        database = platform.directory.database
        assert await anything_left(database, NEW)
        await platform.directory.change(
            tenant(1).tenant_id, actor="t", action="t", name="Still there"
        )
        values = {"actor": "t", "action": "t", "status": str(TenantStatus.DELETED)}
        with pytest.raises(Exception, match="deleted"):
            await platform.directory.change(tenant(1).tenant_id, **values)
        assert not await anything_left(database, NEW)
        assert (await Migrating(platform).run()).whole


async def delete(platform: Platform, number: int) -> None:
    there, directory = tenant(number), platform.directory
    async with directory.leases.held(there, Work.DELETION, holder="t") as lease:
        await directory.deletions.mark(there, lease, actor="t")


@in_a_loop
async def test_a_tenant_that_is_deleted_meanwhile_is_left_out_and_pauses_nobody(
    ground: Ground,
) -> None:
    async with fleet(ground, 3, canaries=["t1"], concurrency=1) as platform:
        work = Migrating(platform)

        async def one(there: TenantContext, revision: str) -> None:
            if there.slug == "t1":  # the first; all were listed before
                await delete(platform, 2)
            await work.one(there, revision)

        done = await migrate_fleet(platform, one, actor="t", progress=lambda *_: None)
        assert work.order == ["t1", "t2", "t3"]
        assert [there.slug for there in done.migrated] == ["t1", "t3"]
        assert done.whole


@in_a_loop
async def test_what_failed_and_is_gone_does_not_keep_the_next_from_being_migrated(
    ground: Ground,
) -> None:
    async with fleet(ground, 1) as platform:
        await Migrating(platform, "t1").run()
        await delete(platform, 1)
        assert await anything_left(platform.directory.database, NEW)
        assert (await Migrating(platform).run()).whole
        assert not await anything_left(platform.directory.database, NEW)
        assert await platform.directory.rollouts.paused(NEW) is None


@in_a_loop
async def test_of_a_long_reason_the_beginning_is_kept(ground: Ground) -> None:
    async with fleet(ground, 1) as platform:

        async def broken(tenant: TenantContext, revision: str) -> None:
            raise ValueError("broken " + "x" * 100_000)

        await migrate_fleet(platform, broken, actor="t", progress=lambda *_: None)
        paused = await platform.directory.rollouts.paused(NEW)
        assert paused is not None
        (why,) = paused.failures.values()
        assert why.startswith("ValueError: broken x")
        assert len(why) < 2000


@in_a_loop
async def test_what_was_noted_wrong_is_found_in_the_databases_themselves(ground: Ground) -> None:
    async with fleet(ground, 3) as platform:
        directory = platform.directory
        for number, noted in ((1, NEW), (2, "long ago")):
            await directory.change(tenant(number).tenant_id, actor="t", action="t", revision=noted)
        (ground.folder / "data" / "tenants" / f"{tenant(3).tenant_id}.db").unlink()
        found = await correct_revisions(platform, lambda *_: None, actor="t")
        assert found[0] == f"t1 is at {OLD}; {NEW} was noted."
        assert found[1] == f"t2 is at {OLD}; long ago was noted."
        assert found[2].startswith("t3: ")
        noted_now = {one.slug: revision for one, revision in await directory.revisions()}
        assert (noted_now["t1"], noted_now["t2"]) == (OLD, OLD)
