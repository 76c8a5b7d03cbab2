"""What is noted in memory with every request and written now and then, by one loop.

A request must not wait for the platform database. A process that is killed takes with it what it
noted since the last time; one that is stopped writes first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_log = logging.getLogger("mosaic.noted")


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is written every so many seconds.

    Attributes:
        write: writes what was noted. What cannot be written stays noted.
        at_end: also when the process stops.
    """

    name: str
    write: Callable[[], Awaitable[None]]
    every: float
    at_end: bool = True


class Noted:
    """Writes several parts, each in its time."""

    def __init__(self, *parts: Part) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Writes for ever, and a last time when it is cancelled."""
        due = {part: time.monotonic() + part.every for part in self._parts}
        try:
            while True:
                await asyncio.sleep(max(0.0, min(due.values()) - time.monotonic()))
                for part, at in due.items():
                    if at <= time.monotonic():
                        await _try(part)
                        due[part] = time.monotonic() + part.every
        finally:
            for part in self._parts:
                if part.at_end:
                    await _try(part)


async def _try(part: Part) -> None:
    try:
        await part.write()
    except Exception:  # noqa: BLE001 - whatever it is, the next time tries again
        _log.exception("%s could not be written; it waits", part.name)
