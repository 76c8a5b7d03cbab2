"""A process that is killed while it exports or imports: a real process, SIGKILL at an effect.

The effects are counted as they happen, so a new one is covered by itself: of an import, every
commit to a database and every file that comes or goes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from mosaic_core import bundle
from tests.cms.bundles.test_bundles import files, fill, quiet, state, strays
from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.test_tenant_life_killing import wrong
from tests.killing import nursery

ROOT = Path(__file__).parents[3]
BUNDLE = "aurora.mosaic"
#: So that nobody waits long for what a killed process held.
SOON = {"platform": {"lease": 2.0}}
#: Dies after its n-th effect: python -c … ROOT FILE N
WORKER = """
import asyncio, os, signal, sys
from pathlib import Path
from mosaic_core.bundle import writing
from tests.cms.deployment import opened

root, file, last = sys.argv[1:]
done = 0

def effect(name, owner):
    original = getattr(owner, name)
    def counted(*given, **named):
        global done
        result = original(*given, **named)
        if done == int(last):
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        return result
    setattr(owner, name, counted)

async def main():
    async with opened(Path(root)) as deployment:
        for name in ("begin", "write", "end", "seal"):
            effect(name, writing.BundleWriter)
        await deployment.do("tenants.export", file=Path(file), force=True)

asyncio.run(main())
"""


def died(root: Path, file: Path, at: int) -> bool:
    """Runs the worker; whether it got as far as to be killed."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(root), str(file), str(at)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def in_deployment(root: Path, work: object) -> object:
    async def main() -> object:
        async with opened(root, **SOON) as deployment:
            return await work(deployment)  # type: ignore[operator]

    return asyncio.run(main())


SOME = pytest.param((1, 9), id="some")
ALL = pytest.param(None, id="all", marks=pytest.mark.campaign)


async def bring(root: Path) -> None:
    """What is killed."""
    async with opened(root, **SOON) as deployment:
        await deployment.rule("tenants.import", file=root / BUNDLE, slug="clone")


@pytest.mark.parametrize("at", [pytest.param((9, 30, 51), id="some"), ALL])
@pytest.mark.timeout(3600)
def test_an_import_is_whole_or_nothing_whenever_it_is_killed(
    deployments: Deployments, tmp_path: Path, at: tuple[int, ...] | None
) -> None:
    made, root = deployments.copy(), tmp_path / "fresh"

    async def export(deployment: Deployment) -> None:
        await fill(deployment)
        await deployment.do("tenants.export", file=made / BUNDLE)

    def fresh() -> Path:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(made, root)
        return root

    async def finish(deployment: Deployment) -> None:
        """What a killed process left is gone on with, unless it came to its end."""
        assert await wrong(deployment) == []
        if deployment.product.platform.directory.tenant_of_slug("clone") is None:
            await deployment.rule("tenants.import", file=root / BUNDLE, slug="clone")
        assert (await state(deployment, "clone"))[0] == (await state(deployment, "aurora"))[0]
        assert await files(deployment, "clone") == await files(deployment, "aurora")
        assert await strays(deployment) == []
        assert await wrong(deployment) == []
        imports = deployment.product.platform.directory.imports
        assert await imports.going(datetime.now(UTC)) == []

    in_deployment(made, export)
    with nursery(__name__, "bring") as processes:
        for folder in processes.kills(fresh, at):
            in_deployment(folder, finish)


@pytest.mark.parametrize("at", [SOME, ALL])
@pytest.mark.timeout(3600)
def test_an_export_has_its_name_only_when_it_is_whole(
    deployments: Deployments, tmp_path: Path, at: tuple[int, ...] | None
) -> None:
    root, file = deployments.copy(), tmp_path / "aurora.mosaic"
    in_deployment(root, fill)
    for number in count() if at is None else at:
        if not died(root, file, number):
            break
        assert not file.exists()
    else:
        assert not died(root, file, 10_000)
    assert bundle.check(file, progress=quiet).seal.files == 2
