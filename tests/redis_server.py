"""A real Redis on a socket of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import pytest

_PROGRAM = "redis-server"


def require_redis() -> None:
    """Skips where Redis is not installed; where everything has to be there, fails."""
    if shutil.which(_PROGRAM) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{_PROGRAM} is not installed")
        pytest.skip(f"{_PROGRAM} is not installed; as root: apt-get install {_PROGRAM}")


class RedisServer:
    """Runs while the context lasts; it can be stopped, and started anew, at the same address."""

    def __init__(self, *options: str) -> None:
        require_redis()
        # Not below pytest's folders: a socket's path has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self._socket = self._folder / "s"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        settings = {"port": "0", "unixsocket": str(self._socket), "save": "", "appendonly": "no"}
        arguments = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [_PROGRAM, *arguments, "--dir", str(self._folder), *self._options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while not self._listens():
            assert self._process.poll() is None, f"{_PROGRAM} does not start"
            assert time.monotonic() < until, f"{_PROGRAM} is not there after 30 s"
            time.sleep(0.005)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:  # its file is there a moment before
            return probe.connect_ex(str(self._socket)) == 0

    def stop(self) -> None:
        """As a machine that is switched off: nobody is told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._socket.unlink(missing_ok=True)
