"""Real processes that run :mod:`tests.core.head.worker`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


class Worker:
    """One process. ``said`` collects what it printed."""

    def __init__(self, mode: str, folder: Path, number: int = 0, count: int = 0, **kw: Any) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.core.head.worker"),
                *(mode, str(folder), str(number), str(count)),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **kw,
        )
        self.said: list[list[str]] = []

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def line(self) -> list[str]:
        """The next line's words; empty at the end."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line.endswith("\n"):
            self.said.append(line.split())
        return line.split()

    def ready(self) -> Worker:
        assert self.line() == ["ready"]
        return self

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """kill -9, for its children too; what they had printed before is read."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.finish()

    def finish(self) -> int:
        """Waits for its end; what it printed is in ``said``."""
        while self.line():
            pass
        code = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        return code

    def killed_child(self, first: str, after: float) -> None:
        """A nursery's next child, killed so many seconds after it first said ``first``."""
        child = self._child()
        self._says(first)
        time.sleep(after)
        self._killed(child)

    def round(self) -> float:
        """Seconds from "start" to "done" of a nursery's next child, so that others are killed at
        any moment between, however slow the machine is."""
        child = self._child()
        self._says("start")
        began = time.monotonic()
        self._says("done")
        took = time.monotonic() - began
        self._killed(child)
        return took

    def _child(self) -> str:
        del self.said[:]
        self.go()
        self._until(lambda: bool(self.words("child")))
        (child,) = self.words("child")
        return child

    def _says(self, first: str) -> None:
        self._until(lambda: any(line[0] in (first, "gone") for line in self.said))
        assert ["gone"] not in self.said, "the child ended by itself"

    def _killed(self, child: str) -> None:
        os.kill(int(child), signal.SIGKILL)
        self._until(lambda: ["gone"] in self.said)
        self._until(lambda: self.said[-1] == ["ready"])

    def _until(self, seen: Callable[[], bool]) -> None:
        while not seen():
            assert self.line(), "the nursery ended"

    def words(self, first: str) -> list[str]:
        """The second words of its lines that begin so."""
        return [line[1] for line in self.said if line[0] == first]
