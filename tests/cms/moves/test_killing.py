"""A process dies while it moves a tenant, at every step: the next one goes on, or turns back."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from mosaic_cms.cli.health import examine_databases
from mosaic_core.directory import Work
from mosaic_core.errors import Conflict, LeaseLost
from mosaic_core.head import TENANT, first_head
from mosaic_core.moves import BACK, Mover, Step
from mosaic_core.persistence import HeadStatus, Rows
from mosaic_core.tenants import TenantContext
from tests.cms.deployment import Deployment
from tests.cms.moves.killing import POINTS, cancelling_at, dying_at
from tests.cms.moves.moving import Ground, everything, move, tenant_of

ROOT = Path(__file__).parents[3]
#: Every step that has an effect, and every point of it.
STEPS = [step for step in Step if not step.ended]
ALL = list(itertools.product(STEPS, POINTS))


class Died(BaseException):
    """In the place of SIGKILL, where the test goes on in the same process."""


def die() -> None:
    raise Died


async def _settled(
    deployment: Deployment, before: dict[str, Any], tier: str, *, undone: bool
) -> None:
    """Somebody else goes on; then all is well, in one home."""
    platform = deployment.product.platform
    old = tenant_of(deployment)
    assert await platform.moving.go_on() <= 1
    ended = await platform.moving.moves.of(old.tenant_id)
    assert ended is not None
    assert ended.step is (Step.UNDONE if undone else Step.DONE)
    new = tenant_of(deployment)
    assert new.tier == tier
    assert await everything(deployment, new) == before
    assert (await platform.persistence(new).head(new)).status is HeadStatus.OPEN
    await deployment.do("redirects.set", source="/after/", target="/deep/")
    assert (await deployment.get("/after/")).status_code == 301


async def _well(deployment: Deployment) -> None:
    found = await examine_databases(deployment.product, lambda *told: None, mend=False)
    assert found.problems == []


def test_whoever_finds_a_move_at_any_point_brings_it_to_its_end(ground: Ground) -> None:
    """The mover dies in this process, without a word; one deployment, one point after the other,
    to and fro between two tiers of files."""

    async def main() -> None:
        await ground.make("file")
        async with ground.opened() as deployment:
            for step, point in ALL:
                await _one(deployment, step, point)
            await _well(deployment)

    async def _one(deployment: Deployment, step: Step, point: str) -> None:
        here = tenant_of(deployment)
        there = "other" if here.tier == "file" else "file"
        before = await everything(deployment, here)
        with pytest.MonkeyPatch.context() as patch:
            if step in BACK:
                cancelling_at(patch, Step.SWITCH)
            dying_at(patch, step, point, die)
            with pytest.raises(Died):
                await move(deployment, there)
        undone = step in BACK
        await _settled(deployment, before, here.tier if undone else there, undone=undone)

    asyncio.run(main())


def _killed(ground: Ground, step: Step, point: str) -> None:
    given = {
        "root": str(ground.root),
        "tables": ground.tables(),
        "step": step,
        "point": point,
        "tier": "schema",
        "cancel": Step.SWITCH if step in BACK else "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.cms.moves.killing", json.dumps(given)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -9, done.stdout + done.stderr


def _a_killed_move_comes_to_its_end(ground: Ground, step: Step, point: str) -> None:
    async def look() -> None:
        async with ground.opened() as deployment:
            before = await everything(deployment, tenant_of(deployment))
        _killed(ground, step, point)
        async with ground.opened() as deployment:
            while await deployment.product.platform.directory.leases.of(
                tenant_of(deployment).tenant_id
            ):
                await asyncio.sleep(0.1)
            undone = step in BACK
            await _settled(deployment, before, "file" if undone else "schema", undone=undone)
            await _well(deployment)

    ground.lease = 3.0  # whoever goes on waits for its end
    asyncio.run(ground.make("file"))
    asyncio.run(look())


@pytest.mark.parametrize("step", [Step.COPY, Step.FENCE, Step.REOPEN])
def test_a_killed_move_to_a_tier_whose_plugin_is_not_selected_any_more_is_undone(
    ground: Ground, step: Step
) -> None:
    selected = ground.tables()["platform"]["plugins"]
    fewer = tuple(name for name in selected if name != "tenancy_sqlschema")

    async def main() -> None:
        await ground.make("file")
        async with ground.opened() as deployment:
            before = await everything(deployment, tenant_of(deployment))
            with pytest.MonkeyPatch.context() as patch:
                if step in BACK:
                    cancelling_at(patch, Step.SWITCH)
                dying_at(patch, step, "between", die)
                with pytest.raises(Died):
                    await move(deployment, "schema")
        async with ground.opened(plugins=fewer) as deployment:
            moving = deployment.product.platform.moving
            assert await moving.go_on() == 0
            ended = await moving.moves.of(tenant_of(deployment).tenant_id)
            assert ended is not None
            assert ended.step is Step.UNDONE
            assert ended.error
            await _stays(deployment, before)
        async with ground.opened() as deployment:
            assert await deployment.product.platform.moving.sweep() == 1
            await _well(deployment)
            assert (await move(deployment, "schema")).step is Step.DONE

    async def _stays(deployment: Deployment, before: dict[str, Any]) -> None:
        assert await everything(deployment, tenant_of(deployment)) == before
        await deployment.do("redirects.set", source="/after/", target="/deep/")
        assert (await deployment.get("/after/")).status_code == 301

    asyncio.run(main())


@pytest.mark.parametrize(
    ("step", "point"),
    [(Step.COPY, "between"), (Step.FENCE, "between"), (Step.SWITCH, "after")],
)
def test_a_process_that_is_killed_leaves_a_move_that_others_end(
    ground: Ground, step: Step, point: str
) -> None:
    _a_killed_move_comes_to_its_end(ground, step, point)


@pytest.mark.campaign
@pytest.mark.parametrize(("step", "point"), ALL)
def test_a_process_that_is_killed_anywhere_leaves_a_move_that_others_end(
    ground: Ground, step: Step, point: str
) -> None:
    _a_killed_move_comes_to_its_end(ground, step, point)


@pytest.mark.parametrize(
    ("step", "point"),
    [(Step.SWITCH, "between"), *(pytest.param(*one, marks=pytest.mark.campaign) for one in ALL)],
)
def test_it_is_the_same_where_the_platform_database_is_on_a_server(
    shared_ground: Ground, step: Step, point: str
) -> None:
    _a_killed_move_comes_to_its_end(shared_ground, step, point)


def test_whoever_waits_behind_the_fence_of_a_dead_mover_writes_in_the_end(ground: Ground) -> None:
    async def main() -> None:
        await ground.make("file")
        async with ground.opened() as deployment, ground.opened() as other:
            with pytest.MonkeyPatch.context() as patch:
                dying_at(patch, Step.FENCE, "after", die)
                with pytest.raises(Died):
                    await move(deployment, "other")
            given = {"source": "/waited/", "target": "/deep/"}
            writing = asyncio.create_task(other.do("redirects.set", **given))
            await asyncio.sleep(0.2)
            assert not writing.done()
            assert (await other.get("/deep/a/")).status_code == 200  # who reads does not wait
            assert await other.product.platform.moving.go_on() == 1
            await writing
            assert (await deployment.get("/waited/")).status_code == 301

    asyncio.run(main())


def test_a_mover_that_was_held_up_does_nothing_to_what_others_took_up(ground: Ground) -> None:
    async def main() -> None:
        await ground.make("file")
        async with ground.opened(lease=60.0) as deployment, ground.opened() as other:
            platform, tenant = other.product.platform, tenant_of(deployment)
            effect, late = Mover._effect, []

            async def held_up(self: Mover, doing: Step) -> None:
                if doing is Step.FENCE and not late:
                    late.append(doing)
                    # Its lease ends, and another process does the rest.
                    await self._moves._directory.leases.release(self._lease)
                    assert await platform.moving.go_on() == 1
                await effect(self, doing)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Mover, "_effect", held_up)
                with pytest.raises(LeaseLost):
                    await move(deployment, "other")
            assert tenant_of(other).tier == "other"
            await deployment.product.platform.directory.refresh(now=True)
            await _well(deployment)
            await deployment.do("redirects.set", source="/after/", target="/deep/")
            old = await platform.persistence(tenant).head(tenant)
            assert old.status is HeadStatus.MOVED

    asyncio.run(main())


def test_the_doctor_names_a_move_that_nobody_goes_on_with(ground: Ground) -> None:
    async def main() -> None:
        await ground.make("file")
        async with ground.opened() as deployment:
            await deployment.rule("tenants.move", slug="aurora", tier="other")
            with time_machine.travel(datetime.now(UTC) + timedelta(minutes=10)):
                found = await examine_databases(deployment.product, lambda *told: None, mend=False)
            (problem,) = found.problems
            assert "move to the other tier stands at provision" in problem.what
            assert "tenant move aurora --to other" in problem.mend

    asyncio.run(main())


def test_a_mover_that_was_held_up_before_it_makes_the_new_home_leaves_it_to_who_lives_there(
    ground: Ground,
) -> None:
    async def main() -> None:
        await ground.make("file")
        async with ground.opened(lease=60.0) as deployment, ground.opened(lease=60.0) as other:
            platform = other.product.platform
            effect, late = Mover._effect, []

            async def held_up(self: Mover, doing: Step) -> None:
                if not late:
                    late.append(doing)
                    await self._moves._directory.leases.release(self._lease)
                    assert await platform.moving.go_on() == 1
                await effect(self, doing)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Mover, "_effect", held_up)
                with pytest.raises(LeaseLost):
                    await move(deployment, "other")
            assert late == [Step.PROVISION]
            assert tenant_of(other).tier == "other"
            await other.do("redirects.set", source="/after/", target="/deep/")
            assert (await other.get("/after/")).status_code == 301

    asyncio.run(main())


def test_nobody_takes_up_a_move_while_a_home_of_it_is_removed(ground: Ground) -> None:
    async def main() -> None:
        await ground.make("file")
        async with ground.opened() as deployment, ground.opened() as other:
            leases, moving = other.product.platform.directory.leases, asyncio.Event()
            persistence = deployment.product.platform.persistence(tenant_of(deployment))
            drop, taking = persistence.drop, list[asyncio.Task[Any]]()

            async def slow(tenant: TenantContext) -> None:
                somebody = replace(tenant, tenant_id="somebody")
                taken = leases.take(somebody, Work.MOVE, holder="a test")
                taking.append(asyncio.create_task(taken))
                await asyncio.sleep(0.3)
                assert not taking[0].done()
                moving.set()
                await drop(tenant)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(persistence, "drop", slow)
                assert (await move(deployment, "other")).step is Step.DONE
            assert moving.is_set()
            await asyncio.gather(*taking)

    asyncio.run(main())


@pytest.mark.parametrize("said", [HeadStatus.OPEN, HeadStatus.MOVED])
def test_a_home_that_says_that_somebody_lives_or_lived_in_it_is_not_made_anew(
    ground: Ground, said: HeadStatus
) -> None:
    async def main() -> None:
        await ground.make("file")
        async with ground.opened() as deployment:
            platform, tenant = deployment.product.platform, tenant_of(deployment)
            begun = await deployment.rule("tenants.move", slug="aurora", tier="other")
            there = replace(tenant, tier="other", epoch=2)
            head = first_head(tenant.tenant_id, 2) | {"status": said}
            await platform.persistence(there).provision(there, [Rows(TENANT.head, [head])])
            with pytest.raises(Conflict, match="is not removed"):
                await move(deployment, "other")
            assert (await platform.persistence(there).head(there)).status is said
            assert (await platform.moving.moves.get(begun.id)).step is Step.UNDONE
            assert tenant_of(deployment) == tenant

    asyncio.run(main())
