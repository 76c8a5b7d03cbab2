"""A visitor never stands still for a collection of garbage that looks through all of a server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import collecting
from tests.processes import Deployment, Running, free_port, stop, wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(deployment: Deployment) -> Iterator[Running]:
    deployment.run("tenant", "create", "press")
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.collecting", str(port)],
        cwd=ROOT,
        env={**os.environ, "MOSAIC_CONFIG": str(deployment.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield wait_for(process, port)
    finally:
        stop(process)


def told(server: Running, path: str) -> tuple[list[int], int]:
    answer = server.get("press.localhost", path).json()
    return answer["looked_at"], answer["there"]


def test_a_collection_looks_through_little_of_what_a_server_has(server: Running) -> None:
    """What there was when it opened (modules, models, themes) is never looked through again, and
    of what comes, so little at a time that it takes a few milliseconds at most."""
    assert server.get("press.localhost").status_code == 200
    _, opened = told(server, collecting.TELL)
    assert opened > 100_000
    looked_at, _ = told(server, collecting.ALL)
    assert max(looked_at) < opened / 4

    looked_at, there = told(server, collecting.KEEP)
    assert there > collecting.KEPT
    assert looked_at
    assert max(looked_at) < there / 8
    assert sum(looked_at) < 3 * collecting.KEPT
