"""Deployments and servers for the tests of real processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Deployment, Running, free_port, stop, wait_for


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """A new deployment with an empty platform database."""
    made = Deployment(tmp_path)
    made.run("init", ".")
    return made


@pytest.fixture
def serve() -> Iterator[Any]:
    """Starts servers; all are stopped at the end."""
    started: list[subprocess.Popen[str]] = []

    def begin(deployment: Deployment, *words: str) -> Running:
        port = free_port()
        process = deployment.start("serve", "--port", str(port), *words)
        started.append(process)
        return wait_for(process, port)

    yield begin
    for process in started:
        stop(process)
