"""A process dies while it moves a tenant, at every step: the next one goes on, or turns back."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.cli.health import examine_databases
from mosaic_core.moves import BACK, Step
from mosaic_core.persistence import HeadStatus
from tests.cms.deployment import Deployment
from tests.cms.moves.killing import POINTS, cancelling_at, dying_at
from tests.cms.moves.moving import Ground, everything, move, tenant_of

ROOT = Path(__file__).parents[3]
#: Every step that has an effect, and every point of it.
STEPS = [step for step in Step if not step.ended]
ALL = list(itertools.product(STEPS, POINTS))


class Died(BaseException):
    """In the place of SIGKILL, where the test goes on in the same process."""


def _die() -> None:
    raise Died


async def _settled(deployment: Deployment, before: dict[str, Any], *, undone: bool) -> None:
    """Somebody else goes on; then all is well, in one home."""
    platform = deployment.product.platform
    old = tenant_of(deployment)
    assert await platform.moving.go_on() <= 1
    ended = await platform.moving.moves.of(old.tenant_id)
    assert ended is not None
    assert ended.step is (Step.UNDONE if undone else Step.DONE)
    new = tenant_of(deployment)
    assert new.tier == ("file" if undone else "schema")
    assert await everything(deployment, new) == before
    assert (await platform.persistence(new).head(new)).status is HeadStatus.OPEN
    await deployment.do("redirects.set", source="/after/", target="/deep/")
    assert (await deployment.get("/after/")).status_code == 301
    found = await examine_databases(deployment.product, lambda *told: None, mend=False)
    assert found.problems == []


def test_whoever_finds_a_move_at_any_point_brings_it_to_its_end(ground: Ground) -> None:
    """The mover dies in this process, without a word; one deployment, one point after the other."""

    async def main() -> None:
        await ground.make("file")
        async with ground.opened(lease=10.0) as deployment:
            for step, point in ALL:
                await _one(deployment, step, point)

    async def _one(deployment: Deployment, step: Step, point: str) -> None:
        before = await everything(deployment, tenant_of(deployment))
        with pytest.MonkeyPatch.context() as patch:
            if step in BACK:
                cancelling_at(patch, Step.FINISH)
            dying_at(patch, step, point, _die)
            with pytest.raises(Died):
                await move(deployment, "schema")
        await _settled(deployment, before, undone=step in BACK)
        if tenant_of(deployment).tier == "schema":
            await move(deployment, "file")

    asyncio.run(main())


def _killed(ground: Ground, step: Step, point: str) -> None:
    given = {
        "root": str(ground.root),
        "tables": ground.tables(),
        "step": step,
        "point": point,
        "tier": "schema",
        "cancel": Step.FINISH if step in BACK else "",
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
            await _settled(deployment, before, undone=step in BACK)

    asyncio.run(ground.make("file"))
    asyncio.run(look())


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
