"""A rendition is made once, however many processes are asked for it at the same time, on the local
disk and in blob storage; and whoever makes it may die."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.pictures import renditions
from mosaic_cms.pictures.library import ImageLibrary
from mosaic_cms.pictures.picture import Wanted
from tests.azurite import Azurite
from tests.cms.deployment import Deployment, Deployments, deployed, settings_for
from tests.cms.pictures.files import photograph
from tests.cms.pictures.test_renditions import bring, offered, stored

ROOT = Path(__file__).parents[3]
#: Asks for an address when it is told to, and notes each picture that it encodes on the way.
VISITED = """
import asyncio, json, os, sys, time
from mosaic_cms.pictures.library import ImageLibrary
from pathlib import Path
from tests.cms.deployment import deployed, settings_for

root, address, seconds, tables = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
render = ImageLibrary.render

def noted(library, content, wanted):
    with open(f"{root}/encoded", "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(seconds)
    return render(library, content, wanted)

async def main():
    async with deployed(settings_for(Path(root), **json.loads(tables))) as deployment:
        print("ready", flush=True)
        sys.stdin.readline()
        answer = await deployment.get(address)
        print(answer.status_code, hash(answer.content))

ImageLibrary.render = noted
asyncio.run(main())
"""


@pytest.fixture
def tables(request: pytest.FixtureRequest, azurite: Azurite) -> dict[str, Any]:
    """Settings of a deployment that keeps its files there."""
    name = f"storage_{request.param}"
    plugins = ["host_resolvers", "tenancy_sqlite", name]
    return {
        "platform": {"plugins": plugins},
        "plugins": {} if request.param == "local" else {name: azurite.settings("shared")},
        "tiers": {"open": {"persistence": "tenancy_sqlite", "storage": name}},
    }


class Visited:
    """A process of a deployment, which a visitor asks for a picture."""

    def __init__(self, root: Path, address: str, seconds: float, tables: dict[str, Any]) -> None:
        words = [str(root), address, str(seconds), json.dumps(tables)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", VISITED, *words],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def is_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def ask(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """Status, and what stands for the content."""
        said, _ = self.process.communicate(timeout=50)
        return said


@contextmanager
def several(
    count: int, root: Path, address: str, tables: dict[str, Any], *, seconds: float
) -> Iterator[list[Visited]]:
    """Processes that are ready to be asked, each of which encodes for so long."""
    processes = [Visited(root, address, seconds, tables) for _ in range(count)]
    try:
        for one in processes:
            one.is_ready()
        yield processes
    finally:
        for one in processes:
            one.process.kill()
            one.process.communicate()


def encoded(root: Path) -> list[int]:
    """The processes that encoded something, one for each time."""
    noted = root / "encoded"
    return [int(line) for line in noted.read_text().split()] if noted.exists() else []


def cold(deployments: Deployments, tables: dict[str, Any]) -> str:
    """The address of a rendition that nobody asked for yet."""

    async def main() -> str:
        async with deployed(settings_for(deployments.copy(), **tables)) as deployment:
            return offered(await bring(deployment, photograph()))[0]

    return asyncio.run(main())


@pytest.mark.parametrize("tables", ["local", "azureblob"], indirect=True)
def test_several_processes_that_are_asked_at_once_make_it_once(
    deployments: Deployments, tables: dict[str, Any]
) -> None:
    address, root = cold(deployments, tables), deployments.root
    with several(2, root, address, tables, seconds=0.5) as processes:
        for one in processes:
            one.ask()
        answers = {one.answer() for one in processes}
    assert len(answers) == 1
    assert answers.pop().startswith("200 ")
    assert len(encoded(root)) == 1


@pytest.mark.parametrize(
    "tables",
    ["local", pytest.param("azureblob", marks=pytest.mark.campaign)],
    indirect=True,
)
def test_nobody_waits_for_one_that_was_killed_while_it_made_it(
    deployments: Deployments, tables: dict[str, Any]
) -> None:
    """On the local disk at once; in blob storage until a lease ends, a quarter of a minute."""
    address, root = cold(deployments, tables), deployments.root
    with several(1, root, address, tables, seconds=600) as (killed,):
        killed.ask()
        until = time.monotonic() + 30
        while not encoded(root) and time.monotonic() < until:
            time.sleep(0.02)
        with several(1, root, address, tables, seconds=0) as (other,):
            other.ask()
            time.sleep(0.3)
            assert encoded(root) == [killed.process.pid]
            killed.process.send_signal(signal.SIGKILL)
            assert other.answer().startswith("200 ")
            assert encoded(root) == [killed.process.pid, other.process.pid]


def test_whoever_waits_for_one_that_hangs_makes_it_in_the_end(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renditions, "_WAIT", 0.3)

    async def scenario(deployment: Deployment) -> None:
        address = offered(await bring(deployment, photograph()))[0]
        (original,) = await stored(deployment)
        tenant = deployment.scope().tenant
        width, _, ending = address.rpartition("/")[2].partition(".")
        key = f"{original.rpartition('/')[0]}/renditions-1/whole/{width}.{ending}"
        async with deployment.product.platform.storage(tenant).lease(tenant, key) as ours:
            assert ours
            assert (await deployment.get(address)).status_code == 200
        assert set(await stored(deployment)) == {original, key}

    deployments(scenario)


def test_a_visitor_who_goes_away_does_not_stop_it(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, asked = asyncio.Event(), 0
    render = ImageLibrary.render

    async def scenario(deployment: Deployment) -> None:
        loop = asyncio.get_running_loop()

        def noted(library: ImageLibrary, content: bytes, wanted: Wanted) -> bytes:
            nonlocal asked
            asked += 1
            loop.call_soon_threadsafe(begun.set)
            return render(library, content, wanted)

        monkeypatch.setattr(ImageLibrary, "render", noted)
        address = offered(await bring(deployment, photograph()))[0]
        visitor = asyncio.create_task(deployment.get(address))
        await begun.wait()
        visitor.cancel()
        with pytest.raises(asyncio.CancelledError):
            await visitor
        while len(await stored(deployment)) == 1:
            await asyncio.sleep(0.02)
        assert (await deployment.get(address)).status_code == 200
        assert asked == 1

    deployments(scenario)
