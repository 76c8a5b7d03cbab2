"""A process that is killed while a file comes in: nothing is seen of it, and nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from mosaic_cms.media.sweep import sweep
from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.media.sending import send_in_parts, stored

ROOT = Path(__file__).parents[3]
LINE = b"a line of sixty-four bytes, which are as many as are on a line.\n" * 16_384
#: Sends a file without end; says how far it is.
SENDER = """
import asyncio, sys
from pathlib import Path
from mosaic_cms.incoming import Incoming
from tests.cms.deployment import opened
from tests.cms.media.test_killing import LINE

root, how = sys.argv[1:]

async def endless(most):
    for number in range(most):
        yield LINE
        if number == 12:
            print("sending", flush=True)
            await asyncio.sleep(3600)

async def main():
    async with opened(Path(root)) as deployment:
        if how == "in one piece":
            content = Incoming(endless(100))
            await deployment.do("media.upload", content=content, name="a.txt")
        upload = await deployment.do("media.begin_upload", name="a.txt", size=16 * len(LINE))
        for number in upload.missing:
            content = Incoming(endless(upload.part_size // len(LINE)))
            if number == 2:
                print("sending", flush=True)
                await asyncio.sleep(3600)
            await deployment.do("media.send_part", upload=upload.id, number=number, content=content)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["in one piece", "in parts"])
def test_a_killed_upload_leaves_nothing(deployments: Deployments, how: str) -> None:
    root = deployments.copy()
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, str(root), how],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "sending\n"
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()

    async def look(deployment: Deployment) -> None:
        assert await deployment.do("media.list") == []
        assert await stored(deployment) == []
        scope = deployment.scope()
        if how == "in parts":
            (upload,) = await deployment.do("media.uploads")
            assert upload.missing == (2,)
            await send_in_parts(deployment, upload, LINE * 16)
            done = await deployment.do("media.finish_upload", upload=upload.id)
            assert done.media.size == 16 * len(LINE)
            await deployment.do("media.delete", media=done.media.reference)
            await deployment.do("media.empty_bin")
        else:
            later = deployment.product.timekeeper.now() + timedelta(days=1, minutes=1)
            assert (await sweep(scope, later, older_than=timedelta())).uploads == 1
        assert (await deployment.do("media.usage")).stored == 0
        files = root / "data" / "files"
        left = [path for path in files.rglob("*") if path.is_file() and path.stat().st_size > 4096]
        assert left == [], "not on the disk either"

    async def main() -> None:
        async with opened(root) as deployment:
            await look(deployment)

    asyncio.run(main())
