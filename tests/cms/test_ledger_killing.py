"""What a tenant used in a month is exact to the last time that it was written, whenever a process
is killed: a real process, SIGKILL."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mosaic_cms.limits import API
from tests.cms.deployment import Deployments, opened

ROOT = Path(__file__).parents[2]
#: Uses something all the time, and says before and after each writing how often: python -c … ROOT
WORKER = """
import asyncio, sys
from pathlib import Path
from mosaic_cms.limits import API
from mosaic_cms.noted import Noted, Part
from mosaic_cms.product import open_product
from tests.cms.deployment import settings_for

async def main():
    async with open_product(settings_for(Path(sys.argv[1]))) as product:
        used = 0

        async def write():
            print("about", used, flush=True)
            counted = used
            await product.ledger.flush()
            print("wrote", counted, flush=True)

        writing = asyncio.create_task(Noted(Part("the ledger", write, 0.02)).run())
        print("ready", flush=True)
        tenant_id = product.platform.directory.named("aurora").tenant_id
        while True:
            await product.ledger.spend(tenant_id, API)
            used += 1
            await asyncio.sleep(0.0005)

asyncio.run(main())
"""


def used(root: Path) -> int:
    """How much the tenant used, as any process finds it."""

    async def main() -> int:
        async with opened(root) as deployment:
            tenant = deployment.scope().tenant
            return await deployment.product.ledger.spend(tenant.tenant_id, API) - 1

    return asyncio.run(main())


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.campaign)])
@pytest.mark.timeout(3600)
def test_a_quota_is_exact_to_the_last_writing(deployments: Deployments, kills: int) -> None:
    chance = random.Random(kills)
    root = deployments.copy()
    before = 0
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(root)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        while (line := process.stdout.readline()) != "ready\n":
            assert line, process.communicate()[1]
        time.sleep(chance.uniform(0.0, 0.5))
        process.kill()
        told, errors = process.communicate(timeout=60)
        assert not errors
        said = [tuple(line.split()) for line in told.splitlines(keepends=True) if line[-1] == "\n"]
        wrote = max((int(n) for what, n in said if what == "wrote"), default=0)
        begun = max((int(n) for what, n in said if what == "about"), default=0)
        found = used(root)
        assert found - before in {wrote, begun}, "all of one writing, or nothing of it"
        before = found
    assert before > 0
