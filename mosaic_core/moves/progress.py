"""How far a move has come, and for how long it will go on."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

#: Told: what, how many of them are done, of how many.
Progress = Callable[[str, int, int], Awaitable[None]]
#: Seconds between two notes of it.
_EVERY = 1.0


@dataclass(slots=True)
class Noted:
    """Notes progress now and then, and tells whoever watches at once.

    Args:
        note: keeps it for others.
        watch: told of each step of it here.
    """

    note: Callable[[dict[str, Any]], Awaitable[None]]
    watch: Callable[[str, int, int], None]
    facts: dict[str, Any] = field(default_factory=dict)
    _noted: float = 0.0
    _began: dict[str, float] = field(default_factory=dict)

    async def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if done < self.facts.get(what, [0])[0]:  # it is gone through once more
            del self._began[what]
        began = self._began.setdefault(what, now)
        self.facts[what] = [done, of]
        rate = done / (now - began) if now > began else 0.0
        self.facts["seconds_left"] = round((of - done) / rate, 1) if rate else None
        self.watch(what, done, of)
        if now - self._noted >= _EVERY or done == of:
            self._noted = now
            await self.note(self.facts)
