"""The doctor names what a killed process left behind, and finds nothing once that is removed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import Deployment

ROOT = Path(__file__).parents[2]
#: Makes a tenant as the command line does, and is killed at a certain moment.
KILLED = """
import asyncio, os, signal
from pathlib import Path
from mosaic_cms.product import open_product
from mosaic_cms.scope import Actor
from mosaic_core.settings import load_settings
{killed}
async def main():
    async with open_product(load_settings(Path("mosaic.toml"))) as product:
        arm()
        scope = product.platform_scope(Actor("operator"))
        await product.actions.perform("tenants.create", scope, {{"slug": "orphan", "name": "O"}})

asyncio.run(main())
"""
#: Its file is there, and the directory has not taken it yet.
BEFORE_IT_IS_KNOWN = """
from mosaic_core.directory import Directory

async def killed(*args, made, **options):
    await made
    os.kill(os.getpid(), signal.SIGKILL)

def arm():
    Directory.add = killed
"""
#: Its file is written, and has not got its name yet.
BEFORE_IT_IS_WHOLE = """
def killed(*args):
    os.kill(os.getpid(), signal.SIGKILL)

def arm():
    os.rename = killed
"""


def _killed(deployment: Deployment, killed: str) -> None:
    script = KILLED.format(killed=killed)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=deployment.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize(
    ("killed", "what"),
    [
        (BEFORE_IT_IS_KNOWN, "No tenant of the directory"),
        (BEFORE_IT_IS_WHOLE, "half a tenant's database"),
    ],
    ids=["before it is known", "before it is whole"],
)
def test_what_a_killed_creation_left_is_named_with_how_to_remove_it(
    deployment: Deployment, killed: str, what: str
) -> None:
    deployment.run("tenant", "create", "welcome")
    folder = deployment.folder / "data" / "tenants"
    before = set(folder.iterdir())
    _killed(deployment, killed)
    (left,) = (path for path in set(folder.iterdir()) - before if path.suffix in {".db", ".new"})
    an_hour_ago = left.stat().st_mtime - 3_700
    os.utime(left, (an_hour_ago, an_hour_ago))

    found = deployment.json("doctor", status=1)
    (problem,) = found["problems"]
    assert found["tenants"] == 1
    assert problem["subject"] == left.name
    assert what in problem["what"]
    assert "1 hour old" in problem["what"]
    named = Path(problem["mend"].rpartition("remove ")[2])
    assert left.name in deployment.run("doctor", status=1)

    assert left in set(named.parent.glob(named.name))

    assert left.name in deployment.run("doctor", "--remove-strays", "--yes")
    assert set(folder.iterdir()) == before
    assert "There are none" in deployment.run("doctor", "--remove-strays")
    assert deployment.json("doctor")["problems"] == []
    assert deployment.json("tenant", "create", "orphan")["slug"] == "orphan"
    assert deployment.json("doctor") == {"tenants": 2, "problems": []}


def test_what_an_older_platform_database_does_not_know_is_named_and_mended(
    deployment: Deployment,
) -> None:
    data = deployment.folder / "data"
    deployment.run("tenant", "create", "welcome")
    shutil.copy(data / "platform.db", data / "older")
    due = "2999-01-01 09:00"
    deployment.run("page", "schedule", "/", due, "--unpublish", "--site", "welcome")
    assert deployment.json("doctor")["problems"] == []
    shutil.move(data / "older", data / "platform.db")

    (problem,) = deployment.json("doctor", status=1)["problems"]
    assert problem["subject"] == "tenant welcome"
    assert "due at 2999-01-01 09:00:00+00:00; the platform knows of nothing" in problem["what"]
    assert "doctor --mend" in problem["mend"]
    mended = deployment.json("doctor", "--mend")
    assert mended["problems"] == []
    assert [x["what"] for x in mended["mended"]] == [problem["what"]]
    assert deployment.json("doctor") == {"tenants": 1, "problems": []}
