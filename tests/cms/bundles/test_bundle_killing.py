"""A process that is killed while it exports or imports: a real process, SIGKILL at an effect.

The effects are counted as they happen, so a new one is covered by itself.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from mosaic_core import bundle
from tests.cms.bundles.test_bundles import fill, quiet, state, strays
from tests.cms.deployment import Deployment, Deployments, opened

ROOT = Path(__file__).parents[3]
#: Dies before its n-th effect, or after it: python -c … ROOT FILE export|import N before|after
WORKER = """
import asyncio, os, signal, sys
from pathlib import Path
from mosaic_core.bundle import loading, writing
from mosaic_core.directory.directory import Directory
from tests.cms.deployment import opened

root, file, what, last, moment = sys.argv[1:]
done = 0

def effect(name, owner):
    original = getattr(owner, name)
    def sync(*given, **named):
        die("before")
        result = original(*given, **named)
        die("after")
        return result
    async def awaited(*given, **named):
        die("before")
        result = await original(*given, **named)
        die("after")
        return result
    setattr(owner, name, awaited if asyncio.iscoroutinefunction(original) else sync)

def die(now):
    global done
    if now == moment and done == int(last):
        os.kill(os.getpid(), signal.SIGKILL)
    done += now == "after"

async def main():
    async with opened(Path(root)) as deployment:
        if what == "export":
            for name in ("begin", "write", "end", "seal"):
                effect(name, writing.BundleWriter)
            await deployment.do("tenants.export", file=Path(file), force=True)
        else:
            for name in ("_begin", "_put", "_file", "_end"):
                effect(name, loading._Loading)
            effect("add", Directory)
            await deployment.rule("tenants.import", file=Path(file), slug="clone")

asyncio.run(main())
"""


def died(root: Path, file: Path, what: str, at: int, moment: str) -> bool:
    """Runs the worker; whether it got as far as to be killed."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(root), str(file), what, str(at), moment],
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
        async with opened(root) as deployment:
            return await work(deployment)  # type: ignore[operator]

    return asyncio.run(main())


SOME = pytest.param((1, 9), id="some")
ALL = pytest.param(None, id="all", marks=pytest.mark.campaign)


@pytest.mark.parametrize("at", [SOME, ALL])
@pytest.mark.timeout(3600)
def test_an_import_is_whole_or_nothing_whenever_it_is_killed(
    deployments: Deployments, tmp_path: Path, at: tuple[int, ...] | None
) -> None:
    root, file = deployments.copy(), tmp_path / "aurora.mosaic"

    async def export(deployment: Deployment) -> None:
        await fill(deployment)
        await deployment.do("tenants.export", file=file)

    async def finish(deployment: Deployment) -> None:
        """What a killed process left is gone on with, unless it came to its end."""
        if deployment.product.platform.directory.tenant_of_slug("clone") is None:
            await deployment.rule("tenants.import", file=file, slug="clone")
        assert (await state(deployment, "clone"))[0] == (await state(deployment, "aurora"))[0]
        assert await strays(deployment) == []

    in_deployment(root, export)
    for number in count() if at is None else at:
        for moment in ("before", "after") if at is None else ("after",):
            fresh = tmp_path / "fresh"
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(root, fresh)
            if not died(fresh, file, "import", number, moment):
                assert number > 8, "it has as many effects"
                return
            in_deployment(fresh, finish)


@pytest.mark.parametrize("at", [SOME, ALL])
@pytest.mark.timeout(3600)
def test_an_export_has_its_name_only_when_it_is_whole(
    deployments: Deployments, tmp_path: Path, at: tuple[int, ...] | None
) -> None:
    root, file = deployments.copy(), tmp_path / "aurora.mosaic"
    in_deployment(root, fill)
    for number in count() if at is None else at:
        if not died(root, file, "export", number, "after"):
            break
        assert not file.exists()
    else:
        assert not died(root, file, "export", 10_000, "before")
    assert bundle.check(file, progress=quiet).seal.files == 2
