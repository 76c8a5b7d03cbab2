"""Deployments and servers for the tests of real processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Deployment, Running, chromium, free_port, stop, wait_for


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


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`mosaic demo` on a free port, with data of its own."""
    deployment = Deployment(tmp_path_factory.mktemp("demo"))
    port = free_port()
    process = deployment.start("demo", "--port", str(port), "--data", "data")
    yield wait_for(process, port, seconds=300)
    stop(process)


@pytest.fixture
def browser() -> Iterator[Any]:
    """Chromium, closed at the end."""
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=quiet)
        yield started
        started.close()
