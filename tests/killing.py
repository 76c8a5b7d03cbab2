"""Processes that die at an effect, by SIGKILL: a commit to a database, a file that comes or goes.

The moments before and after each effect are counted as they come, so a new step is covered by
itself. One process imports everything and forks for each kill.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from mosaic_storage_local import disk as files
from mosaic_storage_local.home import Home
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from mosaic_core.file_databases import disk as databases

#: What changes something that is there after a kill, each by its owner and name.
EFFECTS: tuple[tuple[Any, str], ...] = (
    (AsyncSession, "commit"),
    (AsyncConnection, "commit"),
    (databases, "write"),
    (databases, "remove"),
    (files, "remove"),
    (Home, "place"),
)
ROOT = Path(__file__).parents[1]


class Nursery:
    """Forks processes that do some work and die at an effect."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def died(self, root: Path, at: int) -> bool:
        """Whether the work got as far as to be killed at its n-th moment."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{at} {root}\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline() or "1")
        assert status in (0, -signal.SIGKILL), f"the work ended with {status}"
        return status != 0

    def kills(self, fresh: Callable[[], Path], some: tuple[int, ...] | None) -> Iterator[Path]:
        """A folder after each kill: at each moment that there is, or at some of them.

        Args:
            fresh: makes the folder as it is before the work.
        """
        for number in count() if some is None else some:
            root = fresh()
            if not self.died(root, number):
                assert number > 3, "it has as many moments"
                return
            yield root


@contextmanager
def nursery(module: str, work: str) -> Iterator[Nursery]:
    """A nursery for what a function of a module does in a folder."""
    code = f"from tests.killing import fork; fork({module!r}, {work!r})"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()


def fork(module: str, work: str) -> None:
    """Does the work as often as a line on standard input asks for it, each time in a process of its
    own that dies."""
    there = importlib.import_module(module)
    for line in sys.stdin:
        at, root = line.rstrip("\n").split(" ", 1)
        pid = os.fork()
        if pid == 0:
            try:
                _count(int(at))
                asyncio.run(getattr(there, work)(Path(root)))
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _count(last: int) -> None:
    moments = count()

    def moment() -> None:
        if next(moments) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name in EFFECTS:
        setattr(owner, name, _counted(getattr(owner, name), moment))


def _counted(original: Callable[..., Any], moment: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def sync(*given: Any, **named: Any) -> Any:
        moment()
        result = original(*given, **named)
        moment()
        return result

    @functools.wraps(original)
    async def awaited(*given: Any, **named: Any) -> Any:
        moment()
        result = await original(*given, **named)
        moment()
        return result

    return awaited if inspect.iscoroutinefunction(original) else sync
