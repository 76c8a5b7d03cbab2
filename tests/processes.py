"""Real processes: the command line, the server, a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

MOSAIC = str(Path(sys.executable).with_name("mosaic"))
ADDRESS = re.compile(r"http://[a-z0-9.-]+:\d+/")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Deployment:
    """A folder with a mosaic.toml, and the commands that are run in it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, status: int = 0) -> str:
        """Runs a command; its standard output. The status must be the one expected."""
        done = subprocess.run(
            [MOSAIC, *words],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout if status == 0 else done.stdout + done.stderr

    def json(self, *words: str, status: int = 0) -> Any:
        done = self.run(*words, "--json", status=status)
        return json.loads(done)

    def start(self, *words: str, log: Path | None = None) -> subprocess.Popen[str]:
        """Starts a command; what it says goes into a pipe, or into a file."""
        with nullcontext() if log is None else log.open("w", encoding="utf-8") as file:
            return subprocess.Popen(
                [MOSAIC, *words],
                cwd=self.folder,
                env=self._environment(),
                stdout=file or subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MOSAIC_") and k != "PORT"}
        return clean | {"COLUMNS": "200", "NO_COLOR": "1"} | self.environment


@dataclass
class Running:
    """A server that answers on the loopback."""

    process: subprocess.Popen[str]
    port: int

    def get(self, host: str, path: str = "/", **headers: str) -> httpx.Response:
        address = f"http://127.0.0.1:{self.port}{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(address, headers={"host": host, **named}, timeout=60)

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def wait_for(process: subprocess.Popen[str], port: int, seconds: int = 60) -> Running:
    """The server, once it answers: one that makes its data first may need longer."""
    running = Running(process, port)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            said = process.stdout.read() if process.stdout else "see its log"
            pytest.fail(f"the server ended: {said}")
        try:
            if running.get("ready.invalid", "/-/ready").status_code == 200:
                return running
        except httpx.TransportError:
            time.sleep(0.05)
    stop(process)
    pytest.fail(f"the server did not answer within {seconds} s")


def stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
    if process.stdout is not None:
        process.stdout.close()


def chromium() -> str:
    """The browser; without it the test is skipped, and fails in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "chromium is not installed (apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
